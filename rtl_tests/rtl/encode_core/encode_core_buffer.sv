// Banks between the decision of a macroblock and its two consumers: levels and syntax for entropy, samples for deblocking.
// One bank is filled while the others drain in order; a bank is free again when both consumers have left it.

`default_nettype none

module encode_core_buffer
  import encode_core_pkg::*;
#(
    parameter int unsigned BANKS = 8  // macroblocks from decision to the end of entropy, a power of two
) (
    input  wire logic                     clk,
    input  wire logic                     rst_n,

    // from mode decision
    output      logic                     room_o,          // a bank is free
    input  wire logic                     level_write_i,
    input  wire logic [4:0]               level_row_i,
    input  wire levels_t                  level_i,
    input  wire logic                     sample_write_i,
    input  wire logic [4:0]               sample_block_i,  // luma in raster order, Cb, Cr
    input  wire block_t                   sample_i,
    input  wire logic                     end_i,           // pulse: the macroblock is complete
    input  wire entropy_pkg::macroblock_t end_syntax_i,
    input  wire record_t                  end_record_i,

    output      logic                     syntax_valid_o,
    input  wire logic                     syntax_ready_i,
    output      entropy_pkg::macroblock_t syntax_o,
    output      logic                     level_valid_o,   // blocks in coding order, those that the pattern announces
    input  wire logic                     level_ready_i,
    output      levels_t                  level_o,

    output      logic                     sample_valid_o,
    input  wire logic                     sample_ready_i,
    output      block_t                   sample_o,
    output      logic                     record_valid_o,
    input  wire logic                     record_ready_i,
    output      record_t                  record_o
);

  localparam int unsigned BANK_W = $clog2(BANKS);

  if (BANKS < 2 || BANKS != 1 << BANK_W) begin : g_parameter_check
    $fatal(1, "encode_core_buffer: BANKS is %0d, a power of two from 2 on is needed", BANKS);
  end

  typedef logic [BANK_W-1:0] bank_t;
  entropy_pkg::macroblock_t syntax_q [BANKS];
  record_t                  record_q [BANKS];
  logic [BANKS-1:0]         levels_left_q, samples_left_q;  // by bank: a consumer has not left it
  bank_t                    fill_q;                         // bank that is being filled
  logic                     levels_end, samples_end;
  assign room_o = !levels_left_q[fill_q] && !samples_left_q[fill_q];

  // ---- entropy: syntax beside the levels of every block that coded_block_pattern announces ------------------------------
  // In coding order: vector difference x, y, luma DC, luma 0..15, Cb DC, Cr DC, Cb AC, Cr AC
  function automatic logic [28:0] blocks_of(input logic [3:0] mb_type, input logic [5:0] cbp);
    logic [28:0] blocks;
    blocks      = '0;
    blocks[1:0] = {2{mb_type == entropy_pkg::INTER_16X16}};
    blocks[2]   = mb_type == entropy_pkg::I_16X16;
    for (int unsigned b = 0; b < 16; b++) blocks[3+b] = cbp[b/4];
    blocks[20:19] = {2{cbp[5:4] != 0}};
    blocks[28:21] = {8{cbp[5]}};
    return blocks;
  endfunction

  bank_t       from_q;               // bank that entropy reads
  logic        taken_q;              // its macroblock is under way
  logic        syntax_left_q;
  logic [28:0] blocks_q;
  logic [4:0]  lowest, row;
  logic        level_advance, level_read;
  always_comb begin
    lowest = '0;
    for (int unsigned i = 29; i > 0; i--) if (blocks_q[i-1]) lowest = 5'(i - 1);
    row = lowest < 5'd2 ? 5'(MVD) + lowest : lowest == 5'd2 ? 5'(LUMA_DC) : lowest <= 5'd18 ? lowest - 5'd3 : lowest - 5'd2;
  end
  assign level_advance  = !level_valid_o || level_ready_i;
  assign level_read     = taken_q && blocks_q != 0 && level_advance;
  assign levels_end     = taken_q && !syntax_left_q && blocks_q == 0 && level_advance;
  assign syntax_valid_o = syntax_left_q;
  assign syntax_o       = syntax_q[from_q];
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      from_q        <= '0;
      taken_q       <= 1'b0;
      syntax_left_q <= 1'b0;
      blocks_q      <= '0;
      level_valid_o <= 1'b0;
    end else begin
      if (syntax_ready_i) syntax_left_q <= 1'b0;
      if (level_advance) level_valid_o <= level_read;
      if (level_read) blocks_q <= blocks_q & (blocks_q - 29'd1);
      if (levels_end) begin
        taken_q <= 1'b0;
        from_q  <= from_q + 1'b1;
      end
      if (!taken_q && levels_left_q[from_q]) begin
        taken_q       <= 1'b1;
        syntax_left_q <= 1'b1;
        blocks_q      <= blocks_of(syntax_q[from_q].mb_type, syntax_q[from_q].cbp);
      end
    end
  end
  sram_1r1w #(
      .DATA_W($bits(levels_t)),
      .WORDS (32 * BANKS)
  ) i_levels (
      .clk            (clk),
      .write_i        (level_write_i),
      .write_address_i({fill_q, level_row_i}),
      .write_data_i   (level_i),
      .read_i         (level_read),
      .read_address_i ({from_q, row}),
      .read_data_o    (level_o)
  );

  // ---- deblocking: all blocks, then the record -----------------------------------------------------------------------------
  bank_t      out_q;                // bank that deblocking reads
  logic [4:0] block_q;
  logic       sample_advance, sample_read;
  assign sample_advance = !sample_valid_o || sample_ready_i;
  assign sample_read    = samples_left_q[out_q] && block_q < 5'(BLOCKS) && sample_advance;
  assign record_valid_o = samples_left_q[out_q] && block_q == 5'(BLOCKS);
  assign record_o       = record_q[out_q];
  assign samples_end    = record_valid_o && record_ready_i && sample_advance;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      out_q          <= '0;
      block_q        <= '0;
      sample_valid_o <= 1'b0;
    end else begin
      if (sample_advance) sample_valid_o <= sample_read;
      if (samples_end) begin
        out_q   <= out_q + 1'b1;
        block_q <= '0;
      end else if (sample_read) begin
        block_q <= block_q + 5'd1;
      end
    end
  end
  sram_1r1w #(
      .DATA_W($bits(block_t)),
      .WORDS (32 * BANKS)
  ) i_samples (
      .clk            (clk),
      .write_i        (sample_write_i),
      .write_address_i({fill_q, sample_block_i}),
      .write_data_i   (sample_i),
      .read_i         (sample_read),
      .read_address_i ({out_q, block_q}),
      .read_data_o    (sample_o)
  );

  // ---- banks -----------------------------------------------------------------------------------------------------------------
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fill_q         <= '0;
      levels_left_q  <= '0;
      samples_left_q <= '0;
    end else begin
      if (levels_end) levels_left_q[from_q] <= 1'b0;
      if (samples_end) samples_left_q[out_q] <= 1'b0;
      if (end_i) begin
        levels_left_q[fill_q]  <= 1'b1;
        samples_left_q[fill_q] <= 1'b1;
        fill_q                 <= fill_q + 1'b1;
      end
    end
  end
  always_ff @(posedge clk) begin
    if (end_i) begin
      syntax_q[fill_q] <= end_syntax_i;
      record_q[fill_q] <= end_record_i;
    end
  end

  // ---- handshakes ------------------------------------------------------------------------------------------------------------
  property p_bank_free;
    @(posedge clk) disable iff (!rst_n || $time == 0) level_write_i || sample_write_i || end_i |-> room_o;
  endproperty
  assert property (p_bank_free) else $error("encode_core_buffer: a bank is written that is not free");
  property p_level_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) level_valid_o && !level_ready_i |=> level_valid_o && $stable(level_o);
  endproperty
  assert property (p_level_stable) else $error("encode_core_buffer: levels changed while they waited");
  property p_sample_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) sample_valid_o && !sample_ready_i |=> sample_valid_o && $stable(sample_o);
  endproperty
  assert property (p_sample_stable) else $error("encode_core_buffer: samples changed while they waited");
  property p_syntax_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) syntax_valid_o && !syntax_ready_i |=> syntax_valid_o && $stable(syntax_o);
  endproperty
  assert property (p_syntax_stable) else $error("encode_core_buffer: syntax changed while it waited");
  property p_record_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) record_valid_o && !record_ready_i |=>
        record_valid_o && $stable(record_o);
  endproperty
  assert property (p_record_stable) else $error("encode_core_buffer: record changed while it waited");

endmodule

`default_nettype wire
