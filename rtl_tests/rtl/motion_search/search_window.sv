// Search window: an SRAM with two-dimensional access. Any ROWS rows of 16 samples, at any place, are read in a cycle.
//
// Rows are spread over ROWS banks, and each bank over two memories by the parity of its 16-sample words, so that the two
// words that an unaligned row touches lie in different ones. Word columns form a ring: the window moves on by a
// macroblock when one column has been written, while the others are being searched.

`default_nettype none

module search_window #(
    parameter int unsigned ROWS        = 16,  // rows read in a cycle
    parameter int unsigned WINDOW_ROWS = 48,  // rows of the window, a multiple of ROWS
    parameter int unsigned RING        = 6    // word columns of the ring, even
) (
    input  wire logic                                clk,
    input  wire logic                                write_i,
    input  wire logic [$clog2(WINDOW_ROWS)-1:0]      write_row_i,
    input  wire logic [$clog2(RING)-1:0]             write_word_i,
    input  wire logic [15:0][7:0]                    write_data_i,
    input  wire logic                                read_i,
    input  wire logic [$clog2(WINDOW_ROWS)-1:0]      read_row_i,    // of the first of ROWS rows
    input  wire logic [$clog2(RING)-1:0]             read_word_i,   // word column that holds the first sample
    input  wire logic [3:0]                          read_shift_i,  // its place in that word
    output      logic [ROWS-1:0][15:0][7:0]          read_data_o    // a cycle later
);

  localparam int unsigned ROW_W  = $clog2(WINDOW_ROWS);
  localparam int unsigned WORD_W = $clog2(RING);
  localparam int unsigned BANK_W = $clog2(ROWS);
  localparam int unsigned DEPTH  = WINDOW_ROWS / ROWS * (RING / 2);
  localparam int unsigned ADDRESS_W = $clog2(DEPTH);

  if (RING % 2 != 0 || WINDOW_ROWS % ROWS != 0 || ROWS != 1 << BANK_W || DEPTH < 2) begin : g_parameter_check
    $fatal(1, "search_window: ROWS %0d, WINDOW_ROWS %0d, RING %0d: an even ring and whole groups of rows are needed",
           ROWS, WINDOW_ROWS, RING);
  end

  logic [ROWS-1:0][1:0][15:0][7:0] words;
  logic [WORD_W-1:0]               second_word;
  assign second_word = 32'(read_word_i) == RING - 1 ? '0 : read_word_i + 1'b1;

  for (genvar bank = 0; bank < ROWS; bank++) begin : g_bank
    logic [BANK_W-1:0] ahead;  // of the first row, modulo ROWS
    logic [ROW_W-1:0]  row;    // the row of this bank among those wanted
    assign ahead = BANK_W'(bank) - read_row_i[BANK_W-1:0];
    assign row   = read_row_i + ROW_W'(ahead);
    for (genvar parity = 0; parity < 2; parity++) begin : g_parity
      logic [WORD_W-1:0] word;
      assign word = read_word_i[0] == 1'(parity) ? read_word_i : second_word;
      sram_1r1w #(
          .DATA_W(128),
          .WORDS (DEPTH)
      ) i_memory (
          .clk            (clk),
          .write_i        (write_i && write_row_i[BANK_W-1:0] == BANK_W'(bank) && write_word_i[0] == 1'(parity)),
          .write_address_i(ADDRESS_W'(32'(write_row_i >> BANK_W) * (RING / 2) + 32'(write_word_i >> 1))),
          .write_data_i   (write_data_i),
          .read_i         (read_i),
          .read_address_i (ADDRESS_W'(32'(row >> BANK_W) * (RING / 2) + 32'(word >> 1))),
          .read_data_o    (words[bank][parity])
      );
    end
  end

  logic [BANK_W-1:0] first_q;
  logic              parity_q;
  logic [3:0]        shift_q;
  always_ff @(posedge clk) begin
    if (read_i) begin
      first_q  <= read_row_i[BANK_W-1:0];
      parity_q <= read_word_i[0];
      shift_q  <= read_shift_i;
    end
  end

  always_comb begin
    for (int unsigned i = 0; i < ROWS; i++) begin
      logic [BANK_W-1:0] bank;
      logic [31:0][7:0]  both;
      bank = first_q + BANK_W'(i);
      both = {words[bank][!parity_q], words[bank][parity_q]};
      read_data_o[i] = both[5'(shift_q)+:16];
    end
  end

endmodule

`default_nettype wire
