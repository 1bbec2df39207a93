// The host's AXI4-Lite port: reads pass, writes pass where `host_may_write` says so, others are answered, dropped and
// counted. Writes that the firmware must hear of ring: after the register has changed, for one cycle.

`default_nettype none

module host_bridge
  import register_map_pkg::*;
  import host_access_pkg::*;
(
    input  wire logic        clk,
    input  wire logic        rst_n,
    input  wire logic        hold_i,          // take no new access
    output      logic        idle_o,
    // host
    input  wire logic        s_awvalid_i,
    output      logic        s_awready_o,
    input  wire logic [11:0] s_awaddr_i,
    input  wire logic        s_wvalid_i,
    output      logic        s_wready_o,
    input  wire logic [31:0] s_wdata_i,
    input  wire logic [ 3:0] s_wstrb_i,
    output      logic        s_bvalid_o,
    input  wire logic        s_bready_i,
    input  wire logic        s_arvalid_i,
    output      logic        s_arready_o,
    input  wire logic [11:0] s_araddr_i,
    output      logic        s_rvalid_o,
    input  wire logic        s_rready_i,
    output      logic [31:0] s_rdata_o,
    // register bus
    output      logic        request_o,
    output      logic        write_o,
    output      logic [11:0] address_o,
    output      logic [31:0] data_o,
    input  wire logic        answer_i,
    input  wire logic [31:0] data_i,
    // what the firmware must hear of
    output      logic [15:0] doorbell_o,      // queue n's tail or completion head
    output      logic        control_o,
    output      logic        host_version_o,
    output      logic        dropped_o
);

  typedef enum logic [2:0] {S_IDLE, S_ACCESS, S_READ_ANSWER, S_WRITE_ANSWER} state_e;
  state_e state_q;
  logic   take_write, take_read, allowed;

  assign take_write  = state_q == S_IDLE && !hold_i && s_awvalid_i && s_wvalid_i;
  assign take_read   = state_q == S_IDLE && !hold_i && s_arvalid_i && !take_write;
  assign s_awready_o = take_write;
  assign s_wready_o  = take_write;
  assign s_arready_o = take_read;
  assign s_bvalid_o  = state_q == S_WRITE_ANSWER;
  assign s_rvalid_o  = state_q == S_READ_ANSWER;
  assign request_o   = state_q == S_ACCESS;
  assign idle_o      = state_q == S_IDLE;
  assign allowed     = host_may_write(s_awaddr_i) && s_wstrb_i == '1;
  assign dropped_o   = take_write && !allowed;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q   <= S_IDLE;
      write_o   <= 1'b0;
      address_o <= '0;
      data_o    <= '0;
      s_rdata_o <= '0;
    end else begin
      unique case (state_q)
        S_IDLE: begin
          if (take_write) begin
            state_q   <= allowed ? S_ACCESS : S_WRITE_ANSWER;
            write_o   <= 1'b1;
            address_o <= s_awaddr_i;
            data_o    <= s_wdata_i;
          end else if (take_read) begin
            state_q   <= S_ACCESS;
            write_o   <= 1'b0;
            address_o <= {s_araddr_i[11:2], 2'b00};
          end
        end
        S_ACCESS: begin
          if (answer_i) begin
            state_q   <= write_o ? S_WRITE_ANSWER : S_READ_ANSWER;
            s_rdata_o <= data_i;
          end
        end
        S_READ_ANSWER:  if (s_rready_i) state_q <= S_IDLE;
        S_WRITE_ANSWER: if (s_bready_i) state_q <= S_IDLE;
        default:        state_q <= S_IDLE;
      endcase
    end
  end

  // ------------------------------------------------------------------------------------------- what the write means

  logic        written, in_queues;
  logic [11:0] queue_offset, queue_register;
  assign written        = request_o && write_o && answer_i;
  assign in_queues      = address_o >= QUEUES_CONTROL && address_o < CORES_KIND;
  assign queue_offset   = address_o - QUEUES_CONTROL;
  assign queue_register = QUEUES_CONTROL | (queue_offset & (QUEUES_STRIDE - 12'd1));

  always_comb begin
    doorbell_o = '0;
    if (written && in_queues && (queue_register == QUEUES_TAIL || queue_register == QUEUES_COMPLETION_HEAD))
      doorbell_o[queue_offset[9:6]] = 1'b1;
    control_o      = written && (in_queues && queue_register == QUEUES_CONTROL || address_o == CORES_OUT
                                 || address_o == CORE_RESET);
    host_version_o = written && address_o == HOST_VERSION;
  end

  if (QUEUES_STRIDE != 12'd64) begin : g_stride_check
    $fatal(1, "host_bridge: a queue's registers are %0d bytes apart, 64 are built in", QUEUES_STRIDE);
  end

  handshake_check #(.PAYLOAD_W(32)) i_read_answer (
      .clk, .rst_n, .valid_i(s_rvalid_o), .ready_i(s_rready_i), .payload_i(s_rdata_o)
  );
  handshake_check #(.PAYLOAD_W(12)) i_read (
      .clk, .rst_n, .valid_i(s_arvalid_i), .ready_i(s_arready_o), .payload_i(s_araddr_i)
  );
  handshake_check #(.PAYLOAD_W(12)) i_write (
      .clk, .rst_n, .valid_i(s_awvalid_i), .ready_i(s_awready_o), .payload_i(s_awaddr_i)
  );
  handshake_check #(.PAYLOAD_W(36)) i_write_data (
      .clk, .rst_n, .valid_i(s_wvalid_i), .ready_i(s_wready_o), .payload_i({s_wstrb_i, s_wdata_i})
  );
  handshake_check #(.PAYLOAD_W(1)) i_write_answer (
      .clk, .rst_n, .valid_i(s_bvalid_o), .ready_i(s_bready_i), .payload_i(1'b0)
  );

endmodule

`default_nettype wire
