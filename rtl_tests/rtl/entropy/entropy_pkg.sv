// Records and codes of the entropy engine's interfaces.
package entropy_pkg;

  localparam int unsigned SYMBOL_W = 12;  // ctxIdx << 1 | bin
  localparam int unsigned STRING_W = 4 + 8 * SYMBOL_W;

  // Symbols beyond the standard's contexts, in the place of ctxIdx: bypass is CTX_BYPASS, 1024.
  localparam logic [10:0] CTX_MB_END = 11'd1026;  // end_of_slice_flag: terminating bin at the end of a macroblock
  localparam logic [10:0] CTX_RAW    = 11'd1280;  // + 0..255: a byte of I_PCM samples

  localparam logic [1:0] SLICE_P = 2'd0;
  localparam logic [1:0] SLICE_B = 2'd1;
  localparam logic [1:0] SLICE_I = 2'd2;

  // asic_model.codecs.h264.macroblock
  localparam logic [3:0] I_4X4          = 4'd0;
  localparam logic [3:0] I_8X8          = 4'd1;
  localparam logic [3:0] I_16X16        = 4'd2;
  localparam logic [3:0] I_PCM          = 4'd3;
  localparam logic [3:0] P_SKIP         = 4'd4;
  localparam logic [3:0] B_SKIP         = 4'd5;
  localparam logic [3:0] INTER_16X16    = 4'd6;
  localparam logic [3:0] INTER_16X8     = 4'd7;
  localparam logic [3:0] INTER_8X16     = 4'd8;
  localparam logic [3:0] INTER_8X8      = 4'd9;
  localparam logic [3:0] B_DIRECT_16X16 = 4'd10;

  localparam logic [2:0] SUB_8X8    = 3'd0;
  localparam logic [2:0] SUB_8X4    = 3'd1;
  localparam logic [2:0] SUB_4X8    = 3'd2;
  localparam logic [2:0] SUB_4X4    = 3'd3;
  localparam logic [2:0] SUB_DIRECT = 3'd4;

  // A slice, sent before its first macroblock.
  typedef struct packed {
    logic       cabac;
    logic [1:0] slice_type;
    logic [1:0] contexts;             // 0 for I slices, 1 + cabac_init_idc otherwise
    logic [5:0] qp;                   // SliceQPY
    logic [8:0] mb_width;             // PicWidthInMbs
    logic [8:0] first_x;              // column of the first macroblock
    logic       transform_8x8_mode;
    logic       direct_8x8_inference;
    logic       monochrome;
    logic       field;                // field picture: field contexts of significance maps
    logic [5:0] refs_l0;              // num_ref_idx_l0_active_minus1 + 1
    logic [5:0] refs_l1;
  } slice_t;

  // Syntax elements of a macroblock. Levels and vector differences follow as blocks.
  typedef struct packed {
    logic                   last;           // last macroblock of the slice
    logic [3:0]             mb_type;
    logic                   transform_8x8;
    logic [5:0]             cbp;
    logic [1:0]             i16_mode;       // Intra16x16PredMode
    logic [1:0]             chroma_mode;
    logic signed [6:0]      qp_delta;
    logic [15:0][3:0]       intra_code;     // by blkIdx: 0 prev_intra_pred_mode_flag, else 1 + rem_intra_pred_mode
    logic [3:0][2:0]        sub_type;
    logic [1:0][3:0][5:0]   ref_idx;        // [list][quadrant], signed, -1: list not used
  } macroblock_t;

  // What a macroblock leaves for its right and lower neighbours.
  typedef struct packed {
    logic                        skip;
    logic                        direct;       // B_Skip or B_Direct_16x16
    logic                        inxn;         // Intra4x4 or Intra8x8
    logic                        chroma_mode;  // intra_chroma_pred_mode other than 0
    logic                        eights;       // transform_size_8x8_flag
    logic [5:0]                  cbp;
    logic [26:0]                 coded;        // blocks with levels: luma 0..15, Cb AC 16..19, Cr AC 20..23, DC 24..26
    logic [1:0][3:0]             ref_beyond;   // [list][quadrant]: ref_idx coded and above 0
    logic [23:0][4:0]            total;        // levels of each block: luma by blkIdx, Cb, Cr
    logic [1:0][3:0][1:0][5:0]   mvd;          // [list][place][x, y]: magnitude, at most 33, of the four at the border
  } neighbour_t;

  // One syntax element as CABAC bins. Either a string of up to eight symbols, or `ones` bins of 1, a 0 if `zero`, and
  // `tail_bits` bypass bins; the context of bin i of these is `first` for i = 0, else base + min(low + i - 1, high).
  typedef struct packed {
    logic                is_string;
    logic [STRING_W-1:0] symbols;    // number of symbols in the four highest bits, first symbol lowest
    logic [10:0]         first;
    logic [10:0]         base;
    logic [2:0]          low;
    logic [2:0]          high;
    logic [6:0]          ones;
    logic                zero;
    logic [5:0]          tail_bits;
    logic [31:0]         tail;       // last bin lowest
  } element_t;

  // One CAVLC codeword.
  typedef struct packed {
    logic [31:0] value;
    logic [5:0]  length;   // 0..34 bits, leading zeros beyond the 32 of `value`
    logic        align;    // fill up to the byte with zeros after it
    logic        last;     // end of the slice
  } codeword_t;

  function automatic element_t string_element(input logic [STRING_W-1:0] symbols, input logic [1:0] increment);
    element_t element;
    element               = '0;
    element.is_string     = 1'b1;
    element.symbols       = symbols;
    element.symbols[11:0] = symbols[11:0] + {9'd0, increment, 1'b0};
    return element;
  endfunction

  function automatic logic [STRING_W-1:0] one_symbol(input logic [10:0] ctx, input logic bin);
    return {4'd1, 84'd0, ctx, bin};
  endfunction

  // Place of the highest one; 0 for no one.
  function automatic logic [4:0] highest(input logic [31:0] value);
    highest = '0;
    for (int unsigned i = 0; i < 32; i++) if (value[i]) highest = 5'(i);
  endfunction

  // k-th order Exp-Golomb suffix of `value` in bypass bins (9.3.2.3), then `sign`; length returned in the upper bits.
  function automatic logic [37:0] exp_golomb(input logic [16:0] value, input logic [1:0] k, input logic sign);
    logic [16:0] shifted;
    logic [4:0]  size;
    logic [31:0] ones, low_bits;
    shifted  = value + (17'd1 << k);
    size     = highest(32'(shifted));
    ones     = (32'd1 << (size - 5'(k))) - 32'd1;
    low_bits = 32'(shifted) & ((32'd1 << size) - 32'd1);
    return {6'(size) + 6'(size) - 6'(k) + 6'd2, (((ones << 1) << size) | low_bits) << 1 | 32'(sign)};
  endfunction

  // ue(v) (9.1).
  function automatic codeword_t exp_golomb_code(input logic [16:0] value);
    codeword_t code;
    code        = '0;
    code.value  = 32'(value) + 32'd1;
    code.length = 6'(6'(highest(code.value)) << 1) + 6'd1;
    return code;
  endfunction

  function automatic codeword_t fixed_code(input logic [31:0] value, input logic [5:0] length);
    return '{value: value, length: length, align: 1'b0, last: 1'b0};
  endfunction

  // Entry of a code table: 16 bits of value, 5 of length.
  function automatic codeword_t table_code(input logic [20:0] entry);
    return fixed_code(32'(entry[20:5]), 6'(entry[4:0]));
  endfunction

  // se(v) maps to this number (9.1.1).
  function automatic logic [16:0] signed_number(input logic signed [15:0] value);
    return value > 0 ? {value, 1'b0} - 17'd1 : 17'(-(18'(value) <<< 1));
  endfunction

  // blkIdx of the 4x4 luma block at raster place 0..15 (figure 6-10), and back: bits alternate.
  function automatic logic [3:0] block_of_raster(input logic [3:0] raster);
    return {raster[3], raster[1], raster[2], raster[0]};
  endfunction

  function automatic logic is_intra(input logic [3:0] mb_type);
    return mb_type <= I_PCM;
  endfunction

  function automatic logic is_skip(input logic [3:0] mb_type);
    return mb_type == P_SKIP || mb_type == B_SKIP;
  endfunction

endpackage
