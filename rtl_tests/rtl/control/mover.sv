// Copies between device memory (AXI4, 32 bits) and the control processor's memory, a word a cycle at most.
//
// A move outside of either memory, or with an address or a size that is no multiple of 4, is refused: nothing moves.
// Bursts do not cross 4 KiB. An error answer of the memory counts as refused, too.

`default_nettype none

module mover #(
    parameter int unsigned LOCAL_BYTES = 131072,  // of the processor's memory
    parameter int unsigned ADDRESS_W   = 40       // of device addresses on the bus
) (
    input  wire logic                 clk,
    input  wire logic                 rst_n,
    input  wire logic                 start_i,
    input  wire logic                 write_i,         // 1: to device memory
    input  wire logic [15:0]          bytes_i,
    input  wire logic [63:0]          device_i,
    input  wire logic [31:0]          local_i,
    input  wire logic [31:0]          memory_mib_i,    // size of device memory
    output      logic                 busy_o,
    output      logic                 done_o,          // for one cycle
    output      logic                 refused_o,       // how the last move ended
    // the processor's memory
    output      logic                 local_valid_o,
    output      logic                 local_write_o,
    output      logic [31:0]          local_address_o,
    output      logic [31:0]          local_data_o,
    input  wire logic [31:0]          local_data_i,    // a cycle after the read
    // device memory
    output      logic                 m_awvalid_o,
    input  wire logic                 m_awready_i,
    output      logic [ADDRESS_W-1:0] m_awaddr_o,
    output      logic [7:0]           m_awlen_o,
    output      logic                 m_wvalid_o,
    input  wire logic                 m_wready_i,
    output      logic [31:0]          m_wdata_o,
    output      logic                 m_wlast_o,
    input  wire logic                 m_bvalid_i,
    output      logic                 m_bready_o,
    input  wire logic [1:0]           m_bresp_i,
    output      logic                 m_arvalid_o,
    input  wire logic                 m_arready_i,
    output      logic [ADDRESS_W-1:0] m_araddr_o,
    output      logic [7:0]           m_arlen_o,
    input  wire logic                 m_rvalid_i,
    output      logic                 m_rready_o,
    input  wire logic [31:0]          m_rdata_i,
    input  wire logic [1:0]           m_rresp_i,
    input  wire logic                 m_rlast_i
);

  localparam int unsigned WORDS_W = 14;  // words of a move
  localparam int unsigned AHEAD = 4;     // words read from the processor's memory before the bus takes them

  typedef enum logic [2:0] {S_IDLE, S_BURST, S_ADDRESS, S_READ, S_WRITE, S_ANSWER} state_e;
  state_e                state_q;
  logic                  write_q;
  logic [ADDRESS_W-1:0]  device_q;
  logic [31:0]           local_q;
  logic [WORDS_W-1:0]    left_q;        // words, those of the burst included
  logic [8:0]            burst_q;       // words of the burst, 1..256
  logic [8:0]            to_fetch_q;    // of these, not yet read from the processor's memory
  logic [8:0]            to_send_q;     // of these, not yet on the bus

  // ------------------------------------------------------------------------------------------------------ the checks

  logic [64:0] device_end;
  logic [32:0] local_end;
  logic        outside;
  assign device_end = {1'b0, device_i} + 65'(bytes_i);
  assign local_end  = {1'b0, local_i} + 33'(bytes_i);
  assign outside    = device_end > {13'b0, memory_mib_i, 20'b0} || local_end > 33'(LOCAL_BYTES)
                      || bytes_i[1:0] != '0 || device_i[1:0] != '0 || local_i[1:0] != '0;

  // words to the next 4 KiB boundary, at most 256 a burst
  logic [10:0] to_boundary;
  logic [8:0]  burst;
  assign to_boundary = 11'd1024 - {1'b0, device_q[11:2]};
  always_comb begin
    burst = to_boundary > 11'd256 ? 9'd256 : to_boundary[8:0];
    if (left_q < WORDS_W'(burst)) burst = left_q[8:0];
  end

  // ------------------------------------------------------------------------------------ words on the way to the bus

  logic                       fetch, fetched_q, pop;
  logic [$clog2(AHEAD+1)-1:0] waiting;
  logic                       room;
  assign room  = 32'(waiting) + 32'(fetched_q) < AHEAD;
  assign fetch = state_q == S_WRITE && to_fetch_q != '0 && room;
  assign pop   = m_wvalid_o && m_wready_i;

  logic       push_ready;
  logic [0:0] push_count, pop_count;
  assign push_count = fetched_q;
  assign pop_count  = pop;
  fifo #(
      .DATA_W(32),
      .DEPTH (AHEAD)
  ) i_ahead (
      .clk, .rst_n, .push_i(push_count), .push_ready_o(push_ready), .push_data_i(local_data_i), .count_o(waiting),
      .pop_i(pop_count), .pop_data_o(m_wdata_o)
  );

  assign busy_o          = state_q != S_IDLE;
  assign m_awvalid_o     = state_q == S_ADDRESS && write_q;
  assign m_arvalid_o     = state_q == S_ADDRESS && !write_q;
  assign m_awaddr_o      = device_q;
  assign m_araddr_o      = device_q;
  assign m_awlen_o       = 8'(burst_q - 9'd1);
  assign m_arlen_o       = 8'(burst_q - 9'd1);
  assign m_wvalid_o      = waiting != '0;
  assign m_wlast_o       = to_send_q == 9'd1;
  assign m_bready_o      = state_q == S_ANSWER;
  assign m_rready_o      = state_q == S_READ;
  assign local_write_o   = !write_q;
  assign local_valid_o   = fetch || (m_rready_o && m_rvalid_i);
  assign local_address_o = local_q;
  assign local_data_o    = m_rdata_i;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q    <= S_IDLE;
      write_q    <= 1'b0;
      device_q   <= '0;
      local_q    <= '0;
      left_q     <= '0;
      burst_q    <= '0;
      to_fetch_q <= '0;
      to_send_q  <= '0;
      fetched_q  <= 1'b0;
      done_o     <= 1'b0;
      refused_o  <= 1'b0;
    end else begin
      done_o    <= 1'b0;
      fetched_q <= fetch;
      if (local_valid_o) local_q <= local_q + 32'd4;
      if (fetch) to_fetch_q <= to_fetch_q - 9'd1;
      if (pop) to_send_q <= to_send_q - 9'd1;
      unique case (state_q)
        S_IDLE: begin
          if (start_i) begin
            refused_o <= outside;
            write_q   <= write_i;
            device_q  <= device_i[ADDRESS_W-1:0];
            local_q   <= local_i;
            left_q    <= bytes_i[15:2];
            if (outside || bytes_i == '0) done_o <= 1'b1;
            else state_q <= S_BURST;
          end
        end
        S_BURST: begin
          burst_q    <= burst;
          to_fetch_q <= burst;
          to_send_q  <= burst;
          state_q    <= S_ADDRESS;
        end
        S_ADDRESS: begin
          if (write_q ? m_awready_i : m_arready_i) state_q <= write_q ? S_WRITE : S_READ;
        end
        S_READ: begin
          if (m_rvalid_i && m_rresp_i != '0) refused_o <= 1'b1;
          if (m_rvalid_i && m_rlast_i) next_burst();
        end
        S_WRITE:  if (pop && m_wlast_o) state_q <= S_ANSWER;
        S_ANSWER: begin
          if (m_bvalid_i && m_bresp_i != '0) refused_o <= 1'b1;
          if (m_bvalid_i) next_burst();
        end
        default: state_q <= S_IDLE;
      endcase
    end
  end

  task automatic next_burst();
    left_q   <= left_q - WORDS_W'(burst_q);
    device_q <= device_q + ADDRESS_W'({burst_q, 2'b00});
    if (left_q == WORDS_W'(burst_q)) begin
      state_q <= S_IDLE;
      done_o  <= 1'b1;
    end else begin
      state_q <= S_BURST;
    end
  endtask

  handshake_check #(.PAYLOAD_W(ADDRESS_W + 8)) i_write_address (
      .clk, .rst_n, .valid_i(m_awvalid_o), .ready_i(m_awready_i), .payload_i({m_awaddr_o, m_awlen_o})
  );
  handshake_check #(.PAYLOAD_W(33)) i_write_data (
      .clk, .rst_n, .valid_i(m_wvalid_o), .ready_i(m_wready_i), .payload_i({m_wdata_o, m_wlast_o})
  );
  handshake_check #(.PAYLOAD_W(ADDRESS_W + 8)) i_read_address (
      .clk, .rst_n, .valid_i(m_arvalid_o), .ready_i(m_arready_i), .payload_i({m_araddr_o, m_arlen_o})
  );

  property p_fetched_words_have_room;
    @(posedge clk) disable iff (!rst_n || $time == 0) fetched_q |-> push_ready;
  endproperty
  assert property (p_fetched_words_have_room) else $error("mover: a word was fetched without room for it");

endmodule

`default_nettype wire
