// Syntax stage of the entropy engine: walks a macroblock's syntax elements in coding order, derives their contexts from
// the neighbours and hands them on, one element a cycle, as CABAC bins or as CAVLC codewords (H.264 7.3.5, 9.2, 9.3).
//
// Blocks arrive in the order in which they are coded: for inter macroblocks that are neither skipped nor direct, first
// the vector differences (list 0 x, list 0 y, in B slices list 1 x and y; 16 entries in raster order, 0 where nothing is
// coded); then the levels of every block that coded_block_pattern announces (an 8x8 block as four), or 24 (monochrome
// 16) blocks of 16 I_PCM samples.

`default_nettype none

module entropy_syntax
  import entropy_pkg::*;
  import entropy_tables_pkg::*;
#(
    parameter int unsigned MB_WIDTH_MAX = 256  // widest picture, macroblocks
) (
    input  wire logic              clk,
    input  wire logic              rst_n,

    input  wire logic              slice_valid_i,
    output      logic              slice_ready_o,
    input  wire slice_t            slice_i,

    input  wire logic              mb_valid_i,
    output      logic              mb_ready_o,
    input  wire macroblock_t       mb_i,

    input  wire logic              block_valid_i,
    output      logic              block_ready_o,
    input  wire logic [15:0][15:0] block_i,

    output      logic              element_valid_o,   // CABAC
    input  wire logic              element_ready_i,
    output      element_t          element_o,

    output      logic              code_valid_o,      // CAVLC
    input  wire logic              code_ready_i,
    output      codeword_t         code_o,
    output      logic              code_mb_end_o      // the last codeword of a macroblock has been handed on
);

  localparam int unsigned COLUMN_W = $clog2(MB_WIDTH_MAX);

  if (MB_WIDTH_MAX < 2 || MB_WIDTH_MAX > 256) begin : g_parameter_check
    $fatal(1, "entropy_syntax: MB_WIDTH_MAX is %0d, 2 to 256 are allowed", MB_WIDTH_MAX);
  end

  // Places of the elements in `todo`, in coding order
  localparam int unsigned T_SKIP   = 0;   // mb_skip_flag, or mb_skip_run
  localparam int unsigned T_TYPE   = 1;   // mb_type in P and B slices (CABAC: or its intra prefix)
  localparam int unsigned T_INTRA  = 2;   // mb_type of an intra macroblock
  localparam int unsigned T_8X8    = 3;   // transform_size_8x8_flag, intra
  localparam int unsigned T_MODE   = 4;   // 16 intra modes
  localparam int unsigned T_CHROMA = 20;
  localparam int unsigned T_SUB    = 21;  // 4 sub-macroblock types
  localparam int unsigned T_REF    = 25;  // [list][quadrant]
  localparam int unsigned T_MVD    = 33;  // [list][blkIdx][component]
  localparam int unsigned T_CBP    = 97;
  localparam int unsigned T_8X8_P  = 98;  // transform_size_8x8_flag, inter
  localparam int unsigned T_QP     = 99;
  localparam int unsigned T_COUNT  = 100;

  typedef enum logic [2:0] {S_SLICE, S_MB, S_HEAD, S_RESIDUAL, S_PCM, S_END} state_e;
  typedef enum logic [3:0] {
    P_LOAD, P_FLAG, P_MAP, P_LEVEL,                  // CABAC: coded_block_flag, significance map, levels
    P_TOKEN, P_SIGNS, P_CODE, P_CODE_MORE, P_ZEROS, P_RUN  // CAVLC
  } phase_e;

  state_e             state_q;
  phase_e             phase_q;
  slice_t             slice_q;
  macroblock_t        mb_q;
  logic [T_COUNT-1:0] todo_q;
  logic [26:0]        blocks_q;      // residual blocks still to come
  logic [8:0]         column_q;
  logic [15:0]        since_q;       // macroblocks of the slice before this one
  logic               after_delta_q;
  logic [15:0]        skip_run_q;
  neighbour_t         left_q;
  neighbour_t         up;
  logic [1:0][15:0][1:0][15:0] mvd_q;  // [list][raster][component]
  logic [2:0]         mvd_left_q;    // blocks of vector differences still to come
  logic [1:0]         mvd_at;        // list and component of the next one
  logic [26:0]        coded_q;
  logic [23:0][4:0]   total_q;

  // ---- what follows from the macroblock's record ---------------------------------------------------------------------
  logic intra, skipped, inter_coded, eights, b_slice, left_there, up_there, first_references;
  assign intra       = is_intra(mb_q.mb_type);
  assign skipped     = is_skip(mb_q.mb_type);
  assign inter_coded = !intra && !skipped && mb_q.mb_type != B_DIRECT_16X16;
  assign eights      = mb_q.mb_type == I_8X8 || (!intra && !skipped && mb_q.transform_8x8 && mb_q.cbp[3:0] != 0);
  assign b_slice     = slice_q.slice_type == SLICE_B;
  assign mvd_at      = 2'((b_slice ? 3'd4 : 3'd2) - mvd_left_q);
  assign left_there  = column_q != 0 && since_q != 0;
  assign up_there    = since_q >= 16'(slice_q.mb_width);

  /* verilator lint_off UNUSEDSIGNAL */  // these functions take whole records and look at some fields
  function automatic logic sub_direct(input macroblock_t mb, input int unsigned quadrant);
    return mb.mb_type == INTER_8X8 && mb.sub_type[quadrant] == SUB_DIRECT;
  endfunction

  function automatic logic [T_COUNT-1:0] elements_of(input slice_t slice, input macroblock_t mb);
    logic                is_i, skip, may_8x8, first_only;
    logic [3:0]          starts;
    logic [T_COUNT-1:0]  todo;
    todo = '0;
    is_i = is_intra(mb.mb_type);
    skip = is_skip(mb.mb_type);
    todo[T_SKIP] = slice.slice_type != SLICE_I && (slice.cabac || !skip);
    if (!skip) begin
      todo[T_TYPE]  = slice.cabac ? slice.slice_type != SLICE_I : !is_i;
      todo[T_INTRA] = is_i;
    end
    if (is_i && mb.mb_type != I_PCM) begin
      if (mb.mb_type != I_16X16) begin
        todo[T_8X8] = slice.transform_8x8_mode;
        for (int unsigned b = 0; b < 16; b++) todo[T_MODE+b] = mb.mb_type == I_4X4 || b % 4 == 0;
      end
      todo[T_CHROMA] = !slice.monochrome;
    end
    if (!is_i && !skip && mb.mb_type != B_DIRECT_16X16) begin
      unique case (mb.mb_type)
        INTER_16X16: starts = 4'b0001;
        INTER_16X8:  starts = 4'b0101;
        INTER_8X16:  starts = 4'b0011;
        default:     starts = 4'b1111;
      endcase
      first_only = !slice.cabac && slice.slice_type == SLICE_P && mb.mb_type == INTER_8X8;
      for (int unsigned q = 0; q < 4; q++) begin
        todo[T_SUB+q] = mb.mb_type == INTER_8X8;
        if (mb.ref_idx[0][q] != 0) first_only = 1'b0;
      end
      for (int unsigned l = 0; l < 2; l++) begin
        for (int unsigned q = 0; q < 4; q++) begin
          logic used;
          used = starts[q] && !mb.ref_idx[l][q][5] && !sub_direct(mb, q) && (l == 0 || slice.slice_type == SLICE_B);
          todo[T_REF+4*l+q] = used && (l == 0 ? slice.refs_l0 > 1 && !first_only : slice.refs_l1 > 1);
          for (int unsigned part = 0; part < 4; part++) begin
            logic begins;
            begins = part == 0;
            if (mb.mb_type == INTER_8X8) begin
              begins = begins || mb.sub_type[q] == SUB_4X4 || (part == 1 && mb.sub_type[q] == SUB_4X8) ||
                       (part == 2 && mb.sub_type[q] == SUB_8X4);
            end
            todo[T_MVD+32*l+8*q+2*part+:2] = {2{used && begins}};
          end
        end
      end
    end
    may_8x8 = 1'b1;
    if (mb.mb_type == B_DIRECT_16X16) may_8x8 = slice.direct_8x8_inference;
    if (mb.mb_type == INTER_8X8) begin
      for (int unsigned q = 0; q < 4; q++) begin
        if (mb.sub_type[q] == SUB_DIRECT ? !slice.direct_8x8_inference : mb.sub_type[q] != SUB_8X8) may_8x8 = 1'b0;
      end
    end
    if (!skip && mb.mb_type != I_PCM) begin
      todo[T_CBP]   = mb.mb_type != I_16X16;
      todo[T_8X8_P] = !is_i && mb.cbp[3:0] != 0 && slice.transform_8x8_mode && may_8x8;
      todo[T_QP]    = mb.mb_type == I_16X16 || mb.cbp != 0;
    end
    return todo;
  endfunction

  // Residual blocks in coding order: luma DC, luma 0..15, Cb DC, Cr DC, Cb AC 0..3, Cr AC 0..3.
  function automatic logic [26:0] blocks_of(input slice_t slice, input macroblock_t mb, input logic whole_8x8);
    logic [26:0] blocks;
    blocks = '0;
    if (!is_skip(mb.mb_type) && mb.mb_type != I_PCM) begin
      blocks[0] = mb.mb_type == I_16X16;
      for (int unsigned b = 0; b < 16; b++) begin
        blocks[1+b] = mb.cbp[b/4] && !(whole_8x8 && slice.cabac && b % 4 != 0);
      end
      blocks[18:17] = {2{mb.cbp[5:4] != 0}};
      blocks[26:19] = {8{mb.cbp[5]}};
    end
    return blocks;
  endfunction

  function automatic logic [1:0] prediction_code(input macroblock_t mb, input int unsigned quadrant);
    return {1'b0, !mb.ref_idx[0][quadrant][5]} + {!mb.ref_idx[1][quadrant][5], 1'b0} - 2'd1;
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */

  // Lowest element or block to come.
  logic [6:0] now;
  always_comb begin
    now = '0;
    for (int unsigned i = T_COUNT; i > 0; i--) if (todo_q[i-1]) now = 7'(i - 1);
  end
  logic [4:0] block_now;
  logic [26:0] blocks_after;
  always_comb begin
    block_now = '0;
    for (int unsigned i = 27; i > 0; i--) if (blocks_q[i-1]) block_now = 5'(i - 1);
    blocks_after = blocks_q & (blocks_q - 27'd1);
  end

  // ---- header elements -------------------------------------------------------------------------------------------------
  logic [1:0] skip_inc, type_inc, eights_inc, chroma_inc;
  always_comb begin
    skip_inc   = 2'(left_there && !left_q.skip) + 2'(up_there && !up.skip);
    eights_inc = 2'(left_there && left_q.eights) + 2'(up_there && up.eights);
    chroma_inc = 2'(left_there && left_q.chroma_mode) + 2'(up_there && up.chroma_mode);
    if (b_slice) type_inc = 2'(left_there && !left_q.direct) + 2'(up_there && !up.direct);
    else type_inc = 2'(left_there && !left_q.inxn) + 2'(up_there && !up.inxn);
  end

  // mb_type numbers
  logic [4:0] intra_number, b_number;
  logic [3:0] b_sub_number;
  logic [1:0] quadrant_now, sub_prediction;
  assign quadrant_now   = 2'(now - 7'(T_SUB));
  assign sub_prediction = prediction_code(mb_q, 32'(quadrant_now)) == 2'd3 ? 2'd0 : prediction_code(mb_q, 32'(quadrant_now));
  assign b_sub_number   = B_SUB_TYPE[4'(mb_q.sub_type[quadrant_now]) * 4'd3 + 4'(sub_prediction)];
  always_comb begin
    intra_number = '0;
    if (mb_q.mb_type == I_16X16) begin
      intra_number = 5'd1 + 5'(mb_q.i16_mode) + {1'b0, mb_q.cbp[5:4], 2'b0} + (mb_q.cbp[3:0] != 0 ? 5'd12 : 5'd0);
    end else if (mb_q.mb_type == I_PCM) begin
      intra_number = 5'd25;
    end
    unique case (mb_q.mb_type)
      B_DIRECT_16X16: b_number = 5'd0;
      INTER_8X8:      b_number = 5'd22;
      INTER_16X16:    b_number = 5'd1 + 5'(prediction_code(mb_q, 0));
      default: begin
        b_number = B_PAIR_TYPE[4'(prediction_code(mb_q, 0)) * 4'd3 + 4'(prediction_code(mb_q, 3))] +
                   5'(mb_q.mb_type == INTER_8X16);
      end
    endcase
  end

  // Reference indices
  logic [1:0][3:0] ref_beyond;
  always_comb begin
    for (int unsigned l = 0; l < 2; l++) begin
      for (int unsigned q = 0; q < 4; q++) begin
        ref_beyond[l][q] = inter_coded && !mb_q.ref_idx[l][q][5] && mb_q.ref_idx[l][q] != 0 && !sub_direct(mb_q, q);
      end
    end
  end
  logic       ref_list;
  logic [1:0] ref_quadrant;
  logic [1:0] ref_inc;
  logic [5:0] ref_now;
  always_comb begin
    {ref_list, ref_quadrant} = 3'(now - 7'(T_REF));
    ref_now = mb_q.ref_idx[ref_list][ref_quadrant];
    ref_inc[0] = ref_quadrant[0] ? ref_beyond[ref_list][ref_quadrant^2'd1]
                                 : left_there && left_q.ref_beyond[ref_list][ref_quadrant^2'd1];
    ref_inc[1] = ref_quadrant[1] ? ref_beyond[ref_list][ref_quadrant^2'd2]
                                 : up_there && up.ref_beyond[ref_list][ref_quadrant^2'd2];
  end

  // Vector differences
  function automatic logic [5:0] magnitude_33(input logic [15:0] value);
    logic [15:0] size;
    size = value[15] ? -value : value;
    return size > 16'd33 ? 6'd33 : 6'(size);
  endfunction
  logic               mvd_list, mvd_y;
  logic [3:0]         mvd_raster;
  logic signed [15:0] mvd_now;
  logic [15:0]        mvd_size;
  logic [6:0]         mvd_near;
  logic [1:0]         mvd_inc;
  logic [37:0]        mvd_tail;
  always_comb begin
    logic [3:0] block;
    {mvd_list, block, mvd_y} = 6'(now - 7'(T_MVD));
    mvd_raster = block_of_raster(block);
    mvd_now  = mvd_q[mvd_list][mvd_raster][mvd_y];
    mvd_size = mvd_now[15] ? -mvd_now : mvd_now;
    mvd_near = '0;
    if (mvd_raster[1:0] != 0) mvd_near = 7'(magnitude_33(mvd_q[mvd_list][mvd_raster-4'd1][mvd_y]));
    else if (left_there) mvd_near = 7'(left_q.mvd[mvd_list][mvd_raster[3:2]][mvd_y]);
    if (mvd_raster[3:2] != 0) mvd_near = mvd_near + 7'(magnitude_33(mvd_q[mvd_list][mvd_raster-4'd4][mvd_y]));
    else if (up_there) mvd_near = mvd_near + 7'(up.mvd[mvd_list][mvd_raster[1:0]][mvd_y]);
    mvd_inc  = mvd_near < 7'd3 ? 2'd0 : mvd_near > 7'd32 ? 2'd2 : 2'd1;
    mvd_tail = exp_golomb({1'b0, mvd_size} - 17'd9, 2'd3, mvd_now[15]);
  end

  // coded_block_pattern
  logic [STRING_W-1:0] cbp_symbols;
  always_comb begin
    logic [5:0] left, above;
    logic [3:0] count;
    left  = left_there ? left_q.cbp : 6'd15;
    above = up_there ? up.cbp : 6'd15;
    cbp_symbols = '0;
    for (int unsigned b8 = 0; b8 < 4; b8++) begin
      logic near_left, near_up;
      near_left = b8 % 2 != 0 ? mb_q.cbp[b8^1] : left[b8^1];
      near_up   = b8 / 2 != 0 ? mb_q.cbp[b8^2] : above[b8^2];
      cbp_symbols[SYMBOL_W*b8+:SYMBOL_W] = {11'(CTX_CBP_LUMA) + 11'(!near_left) + {9'd0, !near_up, 1'b0}, mb_q.cbp[b8]};
    end
    count = 4'd4;
    if (!slice_q.monochrome) begin
      cbp_symbols[SYMBOL_W*4+:SYMBOL_W] = {
        11'(CTX_CBP_CHROMA) + 11'(left[5:4] != 0) + {9'd0, above[5:4] != 0, 1'b0}, mb_q.cbp[5:4] != 0
      };
      cbp_symbols[SYMBOL_W*5+:SYMBOL_W] = {
        11'(CTX_CBP_CHROMA) + 11'd4 + 11'(left[5]) + {9'd0, above[5], 1'b0}, mb_q.cbp[5]
      };
      count = mb_q.cbp[5:4] != 0 ? 4'd6 : 4'd5;
    end
    cbp_symbols[STRING_W-1-:4] = count;
  end

  logic [6:0] qp_mapped;
  assign qp_mapped = 7'(signed_number(16'(mb_q.qp_delta)));
  assign first_references = slice_q.slice_type == SLICE_P && mb_q.mb_type == INTER_8X8 && mb_q.ref_idx[0] == '0;

  element_t  head_element;
  codeword_t head_code;
  always_comb begin
    logic [1:0] type_row;
    type_row     = slice_q.slice_type == SLICE_I ? 2'd0 : b_slice ? 2'd2 : 2'd1;
    head_element = '0;
    head_code    = '0;
    unique case (1'b1)
      now == 7'(T_SKIP): begin
        head_element = string_element(one_symbol(b_slice ? 11'(CTX_MB_SKIP_B) : 11'(CTX_MB_SKIP_P), skipped), skip_inc);
        head_code    = exp_golomb_code(17'(skip_run_q));
      end
      now == 7'(T_TYPE): begin
        if (b_slice) begin
          head_element = string_element(B_TYPES[intra ? 5'd23 : b_number], type_inc);
          head_code    = exp_golomb_code(17'(b_number));
        end else begin
          head_element = string_element(P_TYPES[intra ? 3'd4 : 3'(mb_q.mb_type - INTER_16X16)], 2'd0);
          head_code    = exp_golomb_code(first_references ? 17'd4 : 17'(mb_q.mb_type - INTER_16X16));
        end
      end
      now == 7'(T_INTRA): begin
        head_element = string_element(INTRA_TYPES[7'd26 * 7'(type_row) + 7'(intra_number)],
                                      slice_q.slice_type == SLICE_I ? type_inc : 2'd0);
        head_code    = exp_golomb_code(17'(intra_number) + (type_row == 0 ? 17'd0 : b_slice ? 17'd23 : 17'd5));
      end
      now == 7'(T_8X8) || now == 7'(T_8X8_P): begin
        head_element = string_element(one_symbol(11'(CTX_TRANSFORM_8X8), eights), eights_inc);
        head_code    = fixed_code(32'(eights), 6'd1);
      end
      now >= 7'(T_MODE) && now < 7'(T_CHROMA): begin
        logic [3:0] code;
        code         = mb_q.intra_code[4'(now-7'(T_MODE))];
        head_element = string_element(INTRA_MODES[code], 2'd0);
        head_code    = code == 0 ? fixed_code(32'd1, 6'd1) : fixed_code(32'(code) - 32'd1, 6'd4);
      end
      now == 7'(T_CHROMA): begin
        head_element = string_element(CHROMA_MODES[mb_q.chroma_mode], chroma_inc);
        head_code    = exp_golomb_code(17'(mb_q.chroma_mode));
      end
      now >= 7'(T_SUB) && now < 7'(T_REF): begin
        if (b_slice) begin
          head_element = string_element(B_SUB_TYPES[b_sub_number], 2'd0);
          head_code    = exp_golomb_code(17'(b_sub_number));
        end else begin
          head_element = string_element(P_SUB_TYPES[2'(mb_q.sub_type[quadrant_now])], 2'd0);
          head_code    = exp_golomb_code(17'(mb_q.sub_type[quadrant_now]));
        end
      end
      now >= 7'(T_REF) && now < 7'(T_MVD): begin
        head_element.first = 11'(CTX_REF_IDX) + 11'(ref_inc);
        head_element.base  = 11'(CTX_REF_IDX);
        head_element.low   = 3'd4;
        head_element.high  = 3'd5;
        head_element.ones  = 7'(ref_now);
        head_element.zero  = 1'b1;
        if ((ref_list ? slice_q.refs_l1 : slice_q.refs_l0) > 2) head_code = exp_golomb_code(17'(ref_now));
        else head_code = fixed_code(32'(!ref_now[0]), 6'd1);
      end
      now >= 7'(T_MVD) && now < 7'(T_CBP): begin
        head_element.base  = mvd_y ? 11'(CTX_MVD_Y) : 11'(CTX_MVD_X);
        head_element.first = head_element.base + 11'(mvd_inc);
        head_element.low   = 3'd3;
        head_element.high  = 3'd6;
        head_element.ones  = mvd_size < 16'd9 ? 7'(mvd_size) : 7'd9;
        head_element.zero  = mvd_size < 16'd9;
        if (mvd_size >= 16'd9) begin
          head_element.tail_bits = mvd_tail[37:32];
          head_element.tail      = mvd_tail[31:0];
        end else if (mvd_size != 0) begin
          head_element.tail_bits = 6'd1;
          head_element.tail      = 32'(mvd_now[15]);
        end
        head_code = exp_golomb_code(signed_number(mvd_now));
      end
      now == 7'(T_CBP): begin
        head_element = string_element(cbp_symbols, 2'd0);
        head_code    = exp_golomb_code(17'(CBP_CODE_NUM[8'(slice_q.monochrome) * 8'd96 + (intra ? 8'd0 : 8'd48) +
                                                        8'(mb_q.cbp)]));
      end
      default: begin  // T_QP
        head_element.first = 11'(CTX_MB_QP_DELTA) + 11'(after_delta_q);
        head_element.base  = 11'(CTX_MB_QP_DELTA);
        head_element.low   = 3'd2;
        head_element.high  = 3'd3;
        head_element.ones  = qp_mapped;
        head_element.zero  = 1'b1;
        head_code          = exp_golomb_code(17'(qp_mapped));
      end
    endcase
  end

  // ---- residual blocks -------------------------------------------------------------------------------------------------
  logic [63:0][15:0] levels_q;
  logic [63:0]       rest_q;       // entries that are not zero and not yet coded
  logic [1:0]        beat_q;
  logic [5:0]        scan_q;       // CABAC: place in the significance map
  logic [2:0]        eq1_q, gt1_q;
  logic [4:0]        total_now_q;  // CAVLC
  logic [1:0]        ones_q, known_q;
  logic [2:0]        signs_q, suffix_q;
  logic [3:0]        place_q;
  logic [4:0]        zeros_q;
  logic [31:0]       more_q;
  logic [5:0]        more_length_q;

  function automatic logic is_luma(input logic [4:0] block);
    return block >= 5'd1 && block <= 5'd16;
  endfunction

  function automatic logic [6:0] entries_of(input logic [4:0] block);
    if (is_luma(block)) return eights && slice_q.cabac ? 7'd64 : mb_q.mb_type == I_16X16 ? 7'd15 : 7'd16;
    return block == 5'd0 ? 7'd16 : block <= 5'd18 ? 7'd4 : 7'd15;
  endfunction

  // The block at work: kind, bit in `coded`, neighbours' flags
  logic       luma_block, dc_block, chroma_dc, chroma_ac;
  logic [4:0] own;            // place in `coded` and `total`
  logic [2:0] category;
  logic [6:0] entries;        // levels of the block
  logic [1:0] flag_inc;
  logic [26:0] left_coded, up_coded;
  logic [3:0] luma_index, near_left, near_up;
  logic [2:0] column;
  always_comb begin
    logic [3:0] raster;
    logic [4:0] total_left, total_up;
    logic       inside_left, inside_up;
    dc_block   = block_now == 5'd0;
    luma_block = is_luma(block_now);
    chroma_dc  = block_now == 5'd17 || block_now == 5'd18;
    chroma_ac  = block_now >= 5'd19;
    luma_index = dc_block ? 4'd0 : 4'(block_now - 5'd1);
    raster     = block_of_raster(luma_index);
    near_left  = block_of_raster({raster[3:2], raster[1:0] - 2'd1});
    near_up    = block_of_raster({raster[3:2] - 2'd1, raster[1:0]});
    own        = dc_block ? 5'd24 : luma_block ? 5'(luma_index) : chroma_dc ? block_now + 5'd8 : block_now - 5'd3;
    entries    = entries_of(block_now);
    category   = dc_block ? 3'd0
               : luma_block ? (mb_q.mb_type == I_16X16 ? 3'd1 : eights ? 3'd5 : 3'd2)
               : chroma_dc ? 3'd3 : 3'd4;
    left_coded = left_there ? left_q.coded : {27{intra}};
    up_coded   = up_there ? up.coded : {27{intra}};
    inside_left = luma_block || dc_block ? raster[1:0] != 0 : own[0];
    inside_up   = luma_block || dc_block ? raster[3:2] != 0 : own[1];
    if (luma_block) begin
      flag_inc = {inside_up ? coded_q[5'(near_up)] : up_coded[5'(near_up)],
                  inside_left ? coded_q[5'(near_left)] : left_coded[5'(near_left)]};
    end else if (chroma_ac) begin
      flag_inc = {inside_up ? coded_q[own^5'd2] : up_coded[own^5'd2],
                  inside_left ? coded_q[own^5'd1] : left_coded[own^5'd1]};
    end else begin
      flag_inc = {up_coded[own], left_coded[own]};
    end
    // nC (9.2.1)
    if (chroma_ac) begin
      total_left = inside_left ? total_q[own^5'd1] : left_q.total[own^5'd1];
      total_up   = inside_up ? total_q[own^5'd2] : up.total[own^5'd2];
    end else begin
      total_left = inside_left ? total_q[near_left] : left_q.total[near_left];
      total_up   = inside_up ? total_q[near_up] : up.total[near_up];
    end
    if (!inside_left && !left_there) begin
      if (!inside_up && !up_there) total_up = '0;
    end else if (!inside_up && !up_there) begin
      total_up = total_left;
    end else begin
      total_up = 5'((6'(total_left) + 6'(total_up) + 6'd1) >> 1);
    end
    column = chroma_dc ? 3'd4 : total_up < 5'd2 ? 3'd0 : total_up < 5'd4 ? 3'd1 : total_up < 5'd8 ? 3'd2 : 3'd3;
  end

  // CAVLC sees a block of 16 entries: the block itself, or every fourth of an 8x8 block.
  logic [15:0][15:0] view;
  logic [15:0]       view_rest;
  always_comb begin
    for (int unsigned i = 0; i < 16; i++) begin
      view[i]      = luma_block && eights ? levels_q[6'(4 * i) + 6'(luma_index[1:0])] : levels_q[i];
      view_rest[i] = luma_block && eights ? rest_q[6'(4 * i) + 6'(luma_index[1:0])] : rest_q[i];
    end
  end

  // Significance map: up to two places a cycle.
  element_t    map_element;
  logic        map_done;
  logic [5:0]  map_scan;
  logic [63:0] map_rest;
  always_comb begin
    logic [3:0] count;
    logic       sixty_four;
    sixty_four  = category == 3'd5;
    map_element = '0;
    map_element.is_string = 1'b1;
    count    = '0;
    map_scan = scan_q;
    map_rest = rest_q >> scan_q;
    map_done = 1'b0;
    for (int unsigned step = 0; step < 2; step++) begin
      if (!map_done) begin
        logic [10:0] significant, last;
        logic        bit_now;
        significant = CTX_SIGNIFICANT[(slice_q.field ? 4'd6 : 4'd0) + 4'(category)] +
                      (sixty_four ? 11'(SIGNIFICANT_INC[(slice_q.field ? 7'd63 : 7'd0) + 7'(map_scan)]) : 11'(map_scan));
        last        = CTX_LAST[(slice_q.field ? 4'd6 : 4'd0) + 4'(category)] +
                      (sixty_four ? 11'(LAST_INC[map_scan]) : 11'(map_scan));
        bit_now     = map_rest[0];
        map_rest    = map_rest >> 1;
        map_element.symbols[SYMBOL_W*32'(count)+:SYMBOL_W] = {significant, bit_now};
        count = count + 4'd1;
        if (bit_now) begin
          map_element.symbols[SYMBOL_W*32'(count)+:SYMBOL_W] = {last, map_rest == 0};
          count = count + 4'd1;
        end
        map_scan = map_scan + 6'd1;
        map_done = map_rest == 0 || 7'(map_scan) == entries - 7'd1;
      end
    end
    map_element.symbols[STRING_W-1-:4] = count;
  end

  // Levels, highest place first
  logic [5:0]         level_place;
  logic signed [15:0] level_now;
  logic [15:0]        level_size;
  logic [63:0]        rest_after;
  element_t           level_element;
  always_comb begin
    logic [37:0] tail;
    logic [15:0] rest;
    level_place = '0;
    for (int unsigned i = 0; i < 64; i++) if (rest_q[i]) level_place = 6'(i);
    rest_after  = rest_q & ~(64'd1 << level_place);
    level_now   = levels_q[level_place];
    level_size  = level_now[15] ? -level_now : level_now;
    rest        = level_size - 16'd1;
    tail        = exp_golomb({1'b0, rest} - 17'd14, 2'd0, level_now[15]);
    level_element       = '0;
    level_element.first = CTX_ABS_LEVEL[category] + (gt1_q != 0 ? 11'd0 : eq1_q >= 3'd3 ? 11'd4 : 11'd1 + 11'(eq1_q));
    level_element.base  = CTX_ABS_LEVEL[category] + 11'd5 +
                          (category == 3'd3 && gt1_q > 3'd3 ? 11'd3 : 11'(gt1_q));
    level_element.ones  = rest < 16'd14 ? 7'(rest) : 7'd14;
    level_element.zero  = rest < 16'd14;
    if (rest < 16'd14) begin
      level_element.tail_bits = 6'd1;
      level_element.tail      = 32'(level_now[15]);
    end else begin
      level_element.tail_bits = tail[37:32];
      level_element.tail      = tail[31:0];
    end
  end

  // CAVLC: token, then levels, zeros and runs
  logic [4:0] token_total;
  logic [1:0] token_ones;
  logic [2:0] token_signs;
  logic [15:0] token_rest;
  logic [3:0] token_place;
  always_comb begin
    logic open;
    token_total = '0;
    token_ones  = '0;
    token_signs = '0;
    token_rest  = view_rest;
    token_place = '0;
    open        = 1'b1;
    for (int unsigned i = 0; i < 16; i++) begin
      token_total = token_total + 5'(view_rest[i]);
      if (view_rest[i]) token_place = 4'(i);
    end
    for (int unsigned i = 16; i > 0; i--) begin
      if (view_rest[i-1] && open) begin
        if (token_ones != 2'd3 && (view[i-1] == 16'd1 || view[i-1] == 16'hFFFF)) begin
          token_ones      = token_ones + 2'd1;
          token_signs     = {token_signs[1:0], view[i-1][15]};
          token_rest[i-1] = 1'b0;
        end else begin
          open = 1'b0;
        end
      end
    end
  end

  logic [15:0] cavlc_rest_q;   // levels still to be coded; then places that runs have not passed
  logic [15:0] mask_q;         // all levels of the block
  logic [3:0]  code_place, run_place;
  logic [15:0] mask_after;
  logic signed [15:0] code_level;
  logic [15:0] code_size;
  codeword_t   level_code;
  logic        level_more;     // level_prefix beyond 15: the suffix is a codeword of its own
  logic [31:0] more_value;
  logic [5:0]  more_length;
  logic [3:0]  run_now;
  always_comb begin
    logic [16:0] code, rest;
    logic [16:0] base;
    code_place = '0;
    for (int unsigned i = 0; i < 16; i++) if (cavlc_rest_q[i]) code_place = 4'(i);
    code_level = view[code_place];
    code_size  = code_level[15] ? -code_level : code_level;
    code       = {code_size, 1'b0} - 17'd2 + 17'(code_level[15]) - 17'(known_q);
    level_more  = 1'b0;
    more_value  = '0;
    more_length = '0;
    level_code  = '0;
    base        = suffix_q == 0 ? 17'd30 : 17'd15 << suffix_q;
    rest        = code - base;
    if (suffix_q == 0 && code < 17'd14) begin
      level_code = fixed_code(32'd1, 6'(code) + 6'd1);
    end else if (suffix_q == 0 && code < 17'd30) begin
      level_code = fixed_code(32'd16 | 32'(code - 17'd14), 6'd19);
    end else if (suffix_q != 0 && code < base) begin
      level_code = fixed_code((32'd1 << suffix_q) | (32'(code) & ((32'd1 << suffix_q) - 32'd1)),
                              6'(code >> suffix_q) + 6'd1 + 6'(suffix_q));
    end else if (rest < 17'd4096) begin
      level_code = fixed_code(32'd4096 | 32'(rest), 6'd28);
    end else begin
      rest        = rest + 17'd4096;
      level_more  = 1'b1;
      level_code  = fixed_code(32'd1, 6'(highest(32'(rest))) + 6'd4);
      more_value  = 32'(rest) & ((32'd1 << highest(32'(rest))) - 32'd1);
      more_length = 6'(highest(32'(rest)));
    end
    // run_before from the highest level left in `mask_q` down to the next one
    mask_after = mask_q & ~(16'd1 << place_q);
    run_place  = '0;
    for (int unsigned i = 0; i < 16; i++) if (mask_after[i]) run_place = 4'(i);
    run_now = place_q - run_place - 4'd1;
  end
  logic [20:0] token_entry, zeros_entry, run_entry;
  logic [4:0]  zeros_first;
  assign token_entry = COEFF_TOKEN[9'(column) * 9'd68 + {2'd0, token_total, 2'd0} + 9'(token_ones)];
  assign zeros_first = 5'(place_q) + 5'd1 - total_now_q;
  assign zeros_entry = chroma_dc ? TOTAL_ZEROS_DC[{total_now_q[1:0], zeros_first[1:0]}]
                                 : TOTAL_ZEROS[{total_now_q[3:0], zeros_first[3:0]}];
  assign run_entry   = RUN_BEFORE[(zeros_q > 5'd7 ? 7'd7 : 7'(zeros_q)) * 7'd15 + 7'(run_now)];

  // ---- control ---------------------------------------------------------------------------------------------------------
  logic cabac, go, offering, block_done, load_beat, load_last, need_block;
  assign cabac = slice_q.cabac;
  assign go    = cabac ? element_ready_i : code_ready_i;

  logic [4:0] pcm_left_q;  // blocks of samples
  logic       pcm_loaded_q, pcm_aligned_q;
  logic       stop_q;      // CAVLC: the skip run before the end has been handed on

  // Which element is on offer
  always_comb begin
    element_o = head_element;
    code_o    = head_code;
    offering  = 1'b0;
    unique case (state_q)
      S_HEAD: offering = !(mvd_left_q != 0 && now >= 7'(T_MVD));
      S_RESIDUAL: begin
        offering = phase_q != P_LOAD;
        unique case (phase_q)
          P_FLAG: element_o = string_element(one_symbol(CTX_CODED_BLOCK_FLAG[category], rest_q != 0), flag_inc);
          P_MAP: element_o = map_element;
          P_LEVEL: element_o = level_element;
          P_TOKEN: code_o = table_code(token_entry);
          P_SIGNS: code_o = fixed_code(32'(signs_q), 6'(ones_q));
          P_CODE: code_o = level_code;
          P_CODE_MORE: code_o = fixed_code(more_q, more_length_q);
          P_ZEROS: code_o = table_code(zeros_entry);
          P_RUN: code_o = table_code(run_entry);
          default: ;
        endcase
      end
      S_PCM: begin
        offering  = cabac ? pcm_loaded_q : !pcm_aligned_q || pcm_loaded_q;
        element_o = '0;
        element_o.is_string = 1'b1;
        for (int unsigned i = 0; i < 4; i++) begin
          element_o.symbols[SYMBOL_W*i+:SYMBOL_W] = {CTX_RAW + 11'(levels_q[{beat_q, 2'(i)}][7:0]), 1'b0};
        end
        element_o.symbols[STRING_W-1-:4] = 4'd4;
        if (pcm_aligned_q) begin
          code_o = fixed_code({levels_q[{beat_q, 2'd0}][7:0], levels_q[{beat_q, 2'd1}][7:0],
                               levels_q[{beat_q, 2'd2}][7:0], levels_q[{beat_q, 2'd3}][7:0]}, 6'd32);
        end else begin
          code_o = '{value: '0, length: '0, align: 1'b1, last: 1'b0};
        end
      end
      S_END: begin
        offering  = cabac || mb_q.last;
        element_o = string_element(one_symbol(CTX_MB_END, mb_q.last), 2'd0);
        if (!stop_q && skipped) code_o = exp_golomb_code(17'(skip_run_q) + 17'd1);
        else code_o = '{value: 32'd1, length: 6'd1, align: 1'b1, last: 1'b1};
      end
      default: ;
    endcase
  end
  assign element_valid_o = cabac && offering;
  assign code_valid_o    = !cabac && offering;

  logic ends_levels;  // no level is left after the codeword that goes now
  assign ends_levels = (phase_q == P_SIGNS && cavlc_rest_q == 0) ||
                       (phase_q == P_CODE && !level_more && (cavlc_rest_q & ~(16'd1 << code_place)) == 0) ||
                       (phase_q == P_CODE_MORE && cavlc_rest_q == 0);

  // The block at work is finished by the element that goes now.
  always_comb begin
    block_done = 1'b0;
    if (state_q == S_RESIDUAL && go) begin
      unique case (phase_q)
        P_FLAG: block_done = rest_q == 0;
        P_LEVEL: block_done = rest_after == 0;
        P_TOKEN: block_done = token_total == 0;
        P_SIGNS, P_CODE, P_CODE_MORE: begin
          block_done = ends_levels && 7'(total_now_q) == entries;
        end
        P_ZEROS: block_done = zeros_first == 0 || mask_after == 0;
        P_RUN: block_done = 5'(run_now) == zeros_q || (mask_after & ~(16'd1 << run_place)) == 0;
        default: ;
      endcase
    end
  end
  // Blocks are taken while one is awaited, and in the cycle in which the one before is finished.
  logic       keep_8x8;    // CAVLC: the next block is another quarter of the 8x8 block at hand
  logic [4:0] load_block;  // the block that comes next on the port
  logic       load_sixty_four;
  logic       need_residual, need_mvd, head_done;
  assign keep_8x8        = eights && !cabac && luma_block && luma_index[1:0] != 2'd3;
  assign load_sixty_four = is_luma(load_block) && eights;
  assign head_done       = state_q == S_HEAD && offering && go && (todo_q & (todo_q - T_COUNT'(1))) == '0;
  assign need_residual   = (state_q == S_RESIDUAL &&
                            (phase_q == P_LOAD || (block_done && !keep_8x8 && blocks_after != 0))) ||
                           (head_done && blocks_q != 0);
  always_comb begin
    load_block = block_now;
    if (phase_q != P_LOAD) begin
      load_block = '0;
      for (int unsigned i = 27; i > 0; i--) if (blocks_after[i-1]) load_block = 5'(i - 1);
    end
  end
  assign need_mvd      = state_q == S_HEAD && mvd_left_q != 0;
  assign need_block    = need_mvd || need_residual ||
                         (state_q == S_PCM && !pcm_loaded_q && (cabac || pcm_aligned_q));
  assign block_ready_o = need_block;
  assign load_beat     = need_block && block_valid_i;
  assign load_last     = load_beat && (!load_sixty_four || beat_q == 2'd3);

  assign slice_ready_o = state_q == S_SLICE;
  assign mb_ready_o    = state_q == S_MB;

  logic whole_8x8_i;
  assign whole_8x8_i = mb_i.mb_type == I_8X8 ||
                       (!is_intra(mb_i.mb_type) && mb_i.transform_8x8 && mb_i.cbp[3:0] != 0);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q       <= S_SLICE;
      phase_q       <= P_LOAD;
      slice_q       <= '0;
      mb_q          <= '0;
      todo_q        <= '0;
      blocks_q      <= '0;
      column_q      <= '0;
      since_q       <= '0;
      after_delta_q <= 1'b0;
      skip_run_q    <= '0;
      mvd_q         <= '0;
      coded_q       <= '0;
      total_q       <= '0;
      beat_q        <= '0;
      mvd_left_q    <= '0;
      rest_q        <= '0;
      pcm_left_q    <= '0;
      pcm_loaded_q  <= 1'b0;
      pcm_aligned_q <= 1'b0;
      stop_q        <= 1'b0;
    end else begin
      unique case (state_q)
        S_SLICE: begin
          if (slice_valid_i) begin
            slice_q       <= slice_i;
            column_q      <= slice_i.first_x;
            since_q       <= '0;
            after_delta_q <= 1'b0;
            skip_run_q    <= '0;
            state_q       <= S_MB;
          end
        end
        S_MB: begin
          if (mb_valid_i) begin
            mb_q          <= mb_i;
            todo_q        <= elements_of(slice_q, mb_i);
            blocks_q      <= blocks_of(slice_q, mb_i, whole_8x8_i);
            coded_q       <= '0;
            total_q       <= '0;
            mvd_q         <= '0;
            beat_q        <= '0;
            phase_q       <= P_LOAD;
            pcm_left_q    <= slice_q.monochrome ? 5'd16 : 5'd24;
            pcm_loaded_q  <= 1'b0;
            pcm_aligned_q <= 1'b0;
            stop_q        <= 1'b0;
            mvd_left_q <= is_intra(mb_i.mb_type) || is_skip(mb_i.mb_type) || mb_i.mb_type == B_DIRECT_16X16 ? 3'd0
                        : b_slice ? 3'd4 : 3'd2;
            state_q    <= is_skip(mb_i.mb_type) && !slice_q.cabac ? S_END : S_HEAD;
          end
        end
        S_HEAD: begin
          if (need_mvd && block_valid_i) begin
            for (int unsigned i = 0; i < 16; i++) mvd_q[mvd_at[1]][i][mvd_at[0]] <= block_i[i];
            mvd_left_q <= mvd_left_q - 3'd1;
          end
          if (offering && go) begin
            todo_q <= todo_q & (todo_q - T_COUNT'(1));
            if (head_done) begin
              state_q <= mb_q.mb_type == I_PCM ? S_PCM : blocks_q != 0 ? S_RESIDUAL : S_END;
            end
          end
        end
        S_RESIDUAL: begin
          if (go) begin
            unique case (phase_q)
              P_FLAG: if (rest_q != 0) phase_q <= P_MAP;
              P_MAP: if (map_done) phase_q <= P_LEVEL;
              P_LEVEL: rest_q <= rest_after;
              P_TOKEN: begin
                if (luma_block) total_q[own] <= token_total;
                if (chroma_ac) total_q[own] <= token_total;
                phase_q <= token_ones != 0 ? P_SIGNS : P_CODE;
              end
              P_SIGNS: phase_q <= cavlc_rest_q != 0 ? P_CODE : P_ZEROS;
              P_CODE: phase_q <= level_more ? P_CODE_MORE : ends_levels ? P_ZEROS : P_CODE;
              P_CODE_MORE: phase_q <= ends_levels ? P_ZEROS : P_CODE;
              P_ZEROS: phase_q <= P_RUN;
              default: ;
            endcase
            if (block_done) begin
              phase_q  <= keep_8x8 ? P_TOKEN : P_LOAD;
              blocks_q <= blocks_after;
              if (blocks_after == 0) state_q <= S_END;
              if (cabac) begin
                if (category == 3'd5) coded_q[15:0] <= coded_q[15:0] | (16'd15 << luma_index);
                else coded_q[own] <= phase_q != P_FLAG;
              end
            end
          end
        end
        S_PCM: begin
          if (load_beat) begin
            for (int unsigned i = 0; i < 16; i++) levels_q[i] <= block_i[i];
            pcm_loaded_q <= 1'b1;
            beat_q       <= '0;
          end
          if (offering && go) begin
            pcm_aligned_q <= 1'b1;
            if (pcm_loaded_q) begin
              beat_q <= beat_q + 2'd1;
              if (beat_q == 2'd3) begin
                pcm_loaded_q <= 1'b0;
                pcm_left_q   <= pcm_left_q - 5'd1;
                if (pcm_left_q == 5'd1) state_q <= S_END;
              end
            end
          end
        end
        S_END: begin
          if (!offering || go) begin
            if (!cabac && mb_q.last && !stop_q && skipped) begin
              stop_q <= 1'b1;
            end else begin
              state_q       <= mb_q.last ? S_SLICE : S_MB;
              column_q      <= column_q + 9'd1 == slice_q.mb_width ? 9'd0 : column_q + 9'd1;
              since_q       <= since_q + 16'd1;
              after_delta_q <= (mb_q.mb_type == I_16X16 || (mb_q.cbp != 0 && mb_q.mb_type != I_PCM && !skipped)) &&
                               mb_q.qp_delta != 0;
              skip_run_q    <= skipped ? skip_run_q + 16'd1 : '0;
            end
          end
        end
        default: state_q <= S_SLICE;
      endcase
      if (need_residual && load_beat) begin
        beat_q <= load_last ? 2'd0 : beat_q + 2'd1;
        for (int unsigned i = 0; i < 16; i++) begin
          logic [15:0] level;
          // the AC levels of a block whose DC is coded apart stand at 1..15
          level = entries_of(load_block) == 7'd15 ? block_i[(i+1)%16] : block_i[i];
          if (7'(i) >= entries_of(load_block) && !load_sixty_four) level = '0;
          levels_q[{beat_q, 4'(i)}] <= level;
          rest_q[{beat_q, 4'(i)}]   <= level != 0;
        end
        if (beat_q == 0) rest_q[63:16] <= '0;
        if (load_last) phase_q <= !cabac ? P_TOKEN : load_sixty_four ? P_MAP : P_FLAG;
      end
    end
  end
  assign code_mb_end_o = state_q == S_END && !cabac && (!offering || (go && code_o.last));

  // Working registers of a block: loaded before they are read.
  always_ff @(posedge clk) begin
    if (state_q == S_RESIDUAL) begin
            if (phase_q == P_MAP && go) begin
        scan_q     <= map_scan;
      end
      if (phase_q == P_LEVEL && go) begin
        if (level_size == 16'd1) eq1_q <= eq1_q == 3'd4 ? 3'd4 : eq1_q + 3'd1;
        else gt1_q <= gt1_q == 3'd4 ? 3'd4 : gt1_q + 3'd1;
      end
      if (go) begin
        unique case (phase_q)
          P_TOKEN: begin
            total_now_q  <= token_total;
            ones_q       <= token_ones;
            signs_q      <= token_signs;
            cavlc_rest_q <= token_rest;
            mask_q       <= view_rest;
            place_q      <= token_place;
            suffix_q     <= token_total > 5'd10 && token_ones != 2'd3 ? 3'd1 : 3'd0;
            known_q      <= token_ones != 2'd3 ? 2'd2 : 2'd0;
          end
          P_CODE: begin
            logic [2:0] suffix;
            known_q       <= '0;
            cavlc_rest_q  <= cavlc_rest_q & ~(16'd1 << code_place);
            suffix        = suffix_q == 0 ? 3'd1 : suffix_q;
            if (suffix < 3'd6 && code_size > 16'd3 << (suffix - 3'd1)) suffix = suffix + 3'd1;
            suffix_q      <= suffix;
            more_q        <= more_value;
            more_length_q <= more_length;
          end
          P_ZEROS: zeros_q <= zeros_first;
          P_RUN: begin
            zeros_q <= zeros_q - 5'(run_now);
            mask_q  <= mask_after;
            place_q <= run_place;
          end
          default: ;
        endcase
      end
    end
    if (need_residual && load_last) begin
      scan_q <= '0;
      eq1_q  <= '0;
      gt1_q  <= '0;
    end
  end

  // ---- neighbours ------------------------------------------------------------------------------------------------------
  neighbour_t own_record, right_record, lower_record;
  logic       mb_end;
  assign mb_end = state_q == S_END && (!offering || go) && !(!cabac && mb_q.last && code_o.last == 1'b0 && offering);
  always_comb begin
    own_record             = '0;
    own_record.skip        = skipped;
    own_record.direct      = mb_q.mb_type == B_SKIP || mb_q.mb_type == B_DIRECT_16X16;
    own_record.inxn        = mb_q.mb_type == I_4X4 || mb_q.mb_type == I_8X8;
    own_record.chroma_mode = intra && mb_q.mb_type != I_PCM && mb_q.chroma_mode != 0;
    own_record.eights      = eights;
    own_record.cbp         = mb_q.mb_type == I_PCM ? 6'd47 : skipped ? 6'd0 : mb_q.cbp;
    own_record.coded       = mb_q.mb_type == I_PCM ? '1 : coded_q;
    own_record.ref_beyond  = ref_beyond;
    own_record.total       = mb_q.mb_type == I_PCM ? {24{5'd16}} : total_q;
    right_record           = own_record;
    lower_record           = own_record;
    for (int unsigned l = 0; l < 2; l++) begin
      for (int unsigned i = 0; i < 4; i++) begin
        for (int unsigned c = 0; c < 2; c++) begin
          right_record.mvd[l][i][c] = magnitude_33(mvd_q[l][4*i+3][c]);
          lower_record.mvd[l][i][c] = magnitude_33(mvd_q[l][12+i][c]);
        end
      end
    end
  end
  always_ff @(posedge clk) begin
    if (!rst_n) left_q <= '0;
    else if (mb_end) left_q <= right_record;
  end

  sram_1r1w #(
      .DATA_W($bits(neighbour_t)),
      .WORDS (MB_WIDTH_MAX)
  ) i_row_above (
      .clk            (clk),
      .write_i        (mb_end),
      .write_address_i(column_q[COLUMN_W-1:0]),
      .write_data_i   (lower_record),
      .read_i         (state_q == S_MB),
      .read_address_i (column_q[COLUMN_W-1:0]),
      .read_data_o    (up)
  );

  // ---- handshakes ------------------------------------------------------------------------------------------------------
  property p_element_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) element_valid_o && !element_ready_i |=> element_valid_o && $stable(element_o);
  endproperty
  assert property (p_element_stable) else $error("entropy_syntax: element changed while it waited");
  property p_code_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) code_valid_o && !code_ready_i |=> code_valid_o && $stable(code_o);
  endproperty
  assert property (p_code_stable) else $error("entropy_syntax: codeword changed while it waited");
  property p_type_exists;
    @(posedge clk) disable iff (!rst_n || $time == 0) mb_valid_i |-> mb_i.mb_type <= B_DIRECT_16X16;
  endproperty
  assert property (p_type_exists) else $error("entropy_syntax: unknown macroblock type %0d", mb_i.mb_type);

endmodule

`default_nettype wire
