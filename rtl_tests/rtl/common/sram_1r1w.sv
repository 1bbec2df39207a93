// Memory with one read and one write port, written so that synthesis infers an SRAM: the read takes a cycle, and a read
// of the word that is being written gives the old one. Contents are undefined until written.

`default_nettype none

module sram_1r1w #(
    parameter int unsigned DATA_W = 32,  // bits of a word
    parameter int unsigned WORDS  = 64   // words
) (
    input  wire logic                     clk,
    input  wire logic                     write_i,
    input  wire logic [$clog2(WORDS)-1:0] write_address_i,
    input  wire logic [DATA_W-1:0]        write_data_i,
    input  wire logic                     read_i,
    input  wire logic [$clog2(WORDS)-1:0] read_address_i,
    output      logic [DATA_W-1:0]        read_data_o
);

  if (WORDS < 2) begin : g_parameter_check
    $fatal(1, "sram_1r1w: WORDS is %0d, at least 2 are needed", WORDS);
  end

  logic [DATA_W-1:0] words_q [WORDS];

  always_ff @(posedge clk) begin
    if (write_i) words_q[write_address_i] <= write_data_i;
    if (read_i) read_data_o <= words_q[read_address_i];
  end

endmodule

`default_nettype wire
