// Memory with one port that reads or writes, bytes by enable, written so that synthesis infers an SRAM: the read takes
// a cycle. Contents are undefined until written. The words are public, so that benches can look at them.

`default_nettype none

module sram_1rw_bytes #(
    parameter int unsigned BYTES = 4,  // of a word
    parameter int unsigned WORDS = 64  // words
) (
    input  wire logic                     clk,
    input  wire logic                     enable_i,
    input  wire logic [BYTES-1:0]         write_i,    // bytes to write; 0 reads
    input  wire logic [$clog2(WORDS)-1:0] address_i,
    input  wire logic [8*BYTES-1:0]       data_i,
    output      logic [8*BYTES-1:0]       data_o
);

  if (WORDS < 2) begin : g_parameter_check
    $fatal(1, "sram_1rw_bytes: WORDS is %0d, at least 2 are needed", WORDS);
  end

  logic [8*BYTES-1:0] words_q [WORDS]  /* verilator public_flat_rw */;

  always_ff @(posedge clk) begin
    if (enable_i) begin
      for (int unsigned i = 0; i < BYTES; i++) begin
        if (write_i[i]) words_q[address_i][8*i+:8] <= data_i[8*i+:8];
      end
      if (write_i == '0) data_o <= words_q[address_i];
    end
  end

endmodule

`default_nettype wire
