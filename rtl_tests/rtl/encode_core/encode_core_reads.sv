// One read port for two readers, source before reference. Data comes back in the order of the reads; a queue knows whose it
// is.

`default_nettype none

module encode_core_reads #(
    parameter int unsigned READS_MAX = 32  // reads under way, both together, a power of two
) (
    input  wire logic              clk,
    input  wire logic              rst_n,

    input  wire logic [1:0]        ask_valid_i,    // [0] source, [1] reference
    output      logic [1:0]        ask_ready_o,
    input  wire logic [1:0][31:0]  ask_address_i,
    output      logic [1:0]        answer_valid_o,

    output      logic              read_valid_o,
    input  wire logic              read_ready_i,
    output      logic [31:0]       read_address_o,
    input  wire logic              read_data_valid_i
);

  // A read that has been offered stands: the choice is made where nothing waits.
  logic                           free, taken, room, owner;
  logic [$clog2(READS_MAX+1)-1:0] count;
  assign free           = !read_valid_o || read_ready_i;
  assign ask_ready_o[0] = free && room;
  assign ask_ready_o[1] = free && room && !ask_valid_i[0];
  assign taken          = free && room && ask_valid_i != 0;
  always_ff @(posedge clk) begin
    if (!rst_n) read_valid_o <= 1'b0;
    else if (free) read_valid_o <= taken;
  end
  always_ff @(posedge clk) if (taken) read_address_o <= ask_valid_i[0] ? ask_address_i[0] : ask_address_i[1];

  fifo #(
      .DATA_W(1),
      .DEPTH (READS_MAX)
  ) i_owners (
      .clk         (clk),
      .rst_n       (rst_n),
      .push_i      (taken),
      .push_ready_o(room),
      .push_data_i (!ask_valid_i[0]),
      .count_o     (count),
      .pop_i       (read_data_valid_i),
      .pop_data_o  (owner)
  );
  assign answer_valid_o = {read_data_valid_i && owner, read_data_valid_i && !owner};

  handshake_check #(.PAYLOAD_W(32)) i_read_check (
      .clk, .rst_n, .valid_i(read_valid_o), .ready_i(read_ready_i), .payload_i(read_address_o)
  );
  property p_asked;
    @(posedge clk) disable iff (!rst_n || $time == 0) read_data_valid_i |-> count != 0;
  endproperty
  assert property (p_asked) else $error("encode_core_reads: data that nobody asked for");

endmodule

`default_nettype wire
