// Mode decision of intra macroblocks in one pass, with the reconstruction loop that it decides in.
// Model twin: asic_model/engines/mode_decision/single_pass.py. Bench: rtl_tests/encode_core/.
//
//   source blocks -> predictor, SATD: nine modes of a 4x4 block -> transform -> levels and samples
//                 -> predictor, SATD: 16x16, Cb, Cr modes, beside it
//
// A macroblock: Intra4x4 is coded block by block, each with the mode of least SATD and rate, while a second predictor
// finds the best mode of 16x16 and of chroma. Where the costs of the 4x4 blocks pass the bound that 16x16's SATD sets, the
// macroblock is coded again as Intra16x16. Chroma comes last. Blocks whose DC is coded apart pass the transform twice.
//
// Each 4x4 block waits for the reconstruction of the one before: predictor 4 cycles, its modes, SATD 2, transform 9.

`default_nettype none

module mode_decision
  import encode_core_pkg::*;
  import mode_decision_pkg::*;
  import entropy_pkg::block_of_raster, entropy_pkg::I_4X4, entropy_pkg::I_16X16, entropy_pkg::P_SKIP, entropy_pkg::INTER_16X16;
#(
    parameter int unsigned MB_WIDTH_MAX = 256  // widest picture, macroblocks
) (
    input  wire logic                     clk,
    input  wire logic                     rst_n,

    input  wire logic                     start_i,       // pulse: a picture begins; the rest stands until its end
    input  wire logic                     inter_i,       // a P picture
    input  wire logic                     intra_may_i,   // which may have intra macroblocks
    input  wire logic                     temporal_i,    // its search knows the reference's vectors
    input  wire logic [8:0]               mb_width_i,
    input  wire logic [8:0]               mb_height_i,
    input  wire logic [5:0]               qp_i,          // QPY
    input  wire logic [5:0]               qp_chroma_i,   // QPC

    input  wire logic                     source_valid_i,
    output      logic                     source_ready_o,
    input  wire block_t                   source_i,      // 24 a macroblock: luma in raster order, Cb, Cr

    input  wire store_read_t              store_i,       // the reference store, in P pictures
    output      store_ask_t               store_o,

    input  wire logic                     room_i,        // the next macroblock's results have a place
    output      logic                     level_write_o,
    output      logic [4:0]               level_row_o,
    output      levels_t                  level_o,
    output      logic                     sample_write_o,
    output      logic [4:0]               sample_block_o,
    output      block_t                   sample_o,
    output      logic                     end_o,         // pulse: the macroblock is complete
    output      entropy_pkg::macroblock_t end_syntax_o,  // all but `last`
    output      record_t                  end_record_o
);

  localparam int unsigned COLUMN_W = $clog2(MB_WIDTH_MAX);
  localparam int unsigned COST_W   = 20;  // 16 blocks of 8160 and rates

  if (MB_WIDTH_MAX < 2 || MB_WIDTH_MAX > 256) begin : g_parameter_check
    $fatal(1, "mode_decision: MB_WIDTH_MAX is %0d, 2 to 256 are allowed", MB_WIDTH_MAX);
  end

  localparam logic [1:0] KIND_4X4 = 2'd0;  // intra_prediction
  localparam logic [2:0] OP_BLOCK = 3'd0, OP_AC = 3'd1, OP_LUMA_DC = 3'd2, OP_CHROMA_DC = 3'd3, OP_INVERSE = 3'd4;
  localparam logic [3:0] MODE_DC = 4'd2;

  typedef logic [COST_W-1:0] cost_t;

  typedef enum logic [3:0] {
    S_IDLE,      // waits for a source and for room
    S_LINE,      // reads the line above, column 0
    S_NEXT,      // reads the one above right
    S_BEGIN,
    S_PREDICT,   // 4x4: a block's neighbours go to the predictor
    S_CHOOSE,    // its modes come back
    S_CODE,      // it passes the transform
    S_INTER,     // P: searches, then luma passes the transform
    S_MODES,     // 16x16 has won: the other predictor has to finish
    S_FIRST,     // first pass of luma or chroma
    S_DC,
    S_SECOND,    // second pass
    S_END
  } state_e;
  state_e state_q;

  // ---- source ----------------------------------------------------------------------------------------------------------------
  logic       source_there, macroblock_ends;
  logic       inter_q;                      // the macroblock is inter, or may yet become it
  logic [4:0] near_block, inter_block, far_block;  // blocks that the predictors look at
  logic       near_read, far_read;
  block_t     near_source, far_source;
  mode_decision_source i_source (
      .clk         (clk),
      .rst_n       (rst_n),
      .in_valid_i  (source_valid_i),
      .in_ready_o  (source_ready_o),
      .in_i        (source_i),
      .there_o     (source_there),
      .end_i       (macroblock_ends),
      .near_read_i (near_read),
      .near_block_i(inter_q ? inter_block : near_block),
      .near_o      (near_source),
      .far_read_i  (far_read),
      .far_block_i (far_block),
      .far_o       (far_source)
  );

  // ---- neighbours: the line above in an SRAM, the left column in registers --------------------------------------------------
  typedef struct packed {
    logic [3:0][3:0]       modes;   // Intra4x4PredMode as neighbours see it
    logic [15:0][7:0]      luma;
    logic [1:0][7:0][7:0]  chroma;
  } border_t;
  border_t         line_read, above_q, left_q, own;
  border_t         next_above_q;           // above the next macroblock
  logic [7:0]      corner_luma_q;
  logic [1:0][7:0] corner_chroma_q;
  logic [8:0]      x_q, y_q;
  logic            left_there, up_there, right_there, corner_there;
  assign left_there   = x_q != 0;
  assign up_there     = y_q != 0;
  assign right_there  = up_there && x_q + 9'd1 != mb_width_i;
  assign corner_there = left_there && up_there;
  border_t bottom;
  sram_1r1w #(
      .DATA_W($bits(border_t)),
      .WORDS (MB_WIDTH_MAX)
  ) i_line (
      .clk            (clk),
      .write_i        (state_q == S_END),
      .write_address_i(x_q[COLUMN_W-1:0]),
      .write_data_i   (bottom),
      .read_i         (state_q == S_LINE || state_q == S_NEXT),
      .read_address_i (state_q == S_LINE ? '0 : COLUMN_W'(x_q + 9'd1)),
      .read_data_o    (line_read)
  );

  // The macroblock's own border so far: the row above and the left column of the next 4x4 block, wherever it is
  logic [19:0][7:0]     top_q;
  logic [15:0][7:0]     side_q;
  logic [3:0][7:0]      corners_q;         // above left of the next block in each row of blocks
  logic [1:0][7:0][7:0] top_chroma_q, side_chroma_q;
  logic [3:0][3:0]      top_modes_q, side_modes_q;
  always_comb begin
    bottom.modes  = top_modes_q;
    bottom.luma   = top_q[15:0];
    bottom.chroma = top_chroma_q;
    own.modes     = side_modes_q;
    own.luma      = side_q;
    own.chroma    = side_chroma_q;
  end

  // ---- 4x4: predictor, SATD, choice -----------------------------------------------------------------------------------------
  logic [3:0] block_q;                     // blkIdx
  logic [1:0] bx, by;
  assign bx         = {block_q[2], block_q[0]};
  assign by         = {block_q[3], block_q[1]};
  assign near_block = {1'b0, by, bx};

  logic [4:0] near_available;
  logic       near_left, near_up;
  always_comb begin
    logic corner, right;
    near_left = bx != 0 || left_there;
    near_up   = by != 0 || up_there;
    if (by == 0) begin
      corner = bx != 0 ? up_there : corner_there;
      right  = bx != 2'd3 ? up_there : right_there;
    end else begin
      corner = near_left;
      right  = by == 2'd2 ? bx != 2'd3 : !bx[0];  // those that are coded before
    end
    near_available = {near_left, corner, right, near_up, near_left};
  end

  logic [15:0][7:0] near_left_samples, near_top_samples;
  always_comb begin
    near_left_samples = '0;
    near_top_samples  = '0;
    for (int unsigned i = 0; i < 4; i++) near_left_samples[i] = side_q[{by, 2'(i)}];
    for (int unsigned i = 0; i < 8; i++) near_top_samples[i] = top_q[5'({bx, 2'd0}) + 5'(i)];
  end

  logic       near_in_valid, near_in_ready, near_out_valid, near_out_last;
  logic [3:0] near_out_mode;
  block_t     near_out_samples;
  /* verilator lint_off PINCONNECTEMPTY */
  intra_prediction i_near (
      .clk           (clk),
      .rst_n         (rst_n),
      .in_valid_i    (near_in_valid),
      .in_ready_o    (near_in_ready),
      .in_kind_i     (KIND_4X4),
      .in_modes_i    (9'h1ff),
      .in_available_i(near_available),
      .in_left_i     (near_left_samples),
      .in_top_i      (near_top_samples),
      .in_corner_i   (corners_q[by]),
      .out_valid_o   (near_out_valid),
      .out_ready_i   (1'b1),
      .out_mode_o    (near_out_mode),
      .out_block_o   (),
      .out_last_o    (near_out_last),
      .out_samples_o (near_out_samples)
  );
  /* verilator lint_on PINCONNECTEMPTY */
  assign near_in_valid = state_q == S_PREDICT;

  typedef struct packed {
    logic       last;
    logic [3:0] mode;
    block_t     samples;
  } near_tag_t;
  logic        near_satd_valid;
  logic [12:0] near_satd;
  near_tag_t   near_tag;
  mode_decision_satd #(
      .TAG_W($bits(near_tag_t))
  ) i_near_satd (
      .clk        (clk),
      .rst_n      (rst_n),
      .in_valid_i (near_out_valid),
      .in_source_i(near_source),
      .in_pred_i  (near_out_samples),
      .in_tag_i   ({near_out_last, near_out_mode, near_out_samples}),
      .out_valid_o(near_satd_valid),
      .out_satd_o (near_satd),
      .out_tag_o  (near_tag)
  );

  logic [3:0] likely;
  always_comb begin
    likely = side_modes_q[by] < top_modes_q[bx] ? side_modes_q[by] : top_modes_q[bx];
    if (!near_left || !near_up) likely = MODE_DC;
  end

  // Costs in SATD: lambda (1/16) times bits
  logic [10:0] lambda;
  logic [13:0] likely_cost, other_cost, ahead_cost;
  assign lambda      = LAMBDA[qp_i];
  assign likely_cost = 14'(lambda >> 4);
  assign other_cost  = 14'(lambda >> 2);
  assign ahead_cost  = 14'((18'(lambda) * 18'(I16_AHEAD_BITS)) >> 4);

  cost_t      cost, best_cost_q, least_cost;
  logic [3:0] best_mode_q, least_mode;
  block_t     best_pred_q, least_pred;
  logic       first_q;                     // no mode of the block has come yet
  logic       chosen;
  always_comb begin
    cost       = COST_W'(near_satd) + COST_W'(near_tag.mode == likely ? likely_cost : other_cost);
    least_cost = best_cost_q;
    least_mode = best_mode_q;
    least_pred = best_pred_q;
    if (first_q || cost < best_cost_q) begin
      least_cost = cost;
      least_mode = near_tag.mode;
      least_pred = near_tag.samples;
    end
  end
  assign chosen = near_satd_valid && near_tag.last;
  always_ff @(posedge clk) begin
    if (near_satd_valid) begin
      best_cost_q <= least_cost;
      best_mode_q <= least_mode;
      best_pred_q <= least_pred;
    end
    if (state_q == S_PREDICT) first_q <= 1'b1;
    else if (near_satd_valid) first_q <= 1'b0;
  end

  cost_t      total_q, total;              // of the 4x4 blocks so far
  logic       beyond;                      // 16x16 has won
  assign total = total_q + least_cost;

  // ---- 16x16 and chroma: modes are compared, then the best ones' predictions go to the transform ------------------------------
  logic       compare, code_luma, code_chroma;   // pulses
  logic       whole_valid, luma_known, chroma_known;
  logic [4:0] whole_place;
  block_t     whole_pred;
  logic [1:0] best_16x16, best_chroma;
  cost_t      least_16x16;
  mode_decision_whole #(
      .COST_W(COST_W)
  ) i_whole (
      .clk           (clk),
      .rst_n         (rst_n),
      .compare_i     (compare),
      .code_luma_i   (code_luma),
      .code_chroma_i (code_chroma && !inter_q),
      .lambda_i      (lambda),
      .available_i   ({left_there, corner_there, right_there, up_there, left_there}),
      .left_i        ({left_q.chroma, left_q.luma}),
      .top_i         ({above_q.chroma, above_q.luma}),
      .corner_i      ({corner_chroma_q, corner_luma_q}),
      .source_read_o (far_read),
      .source_block_o(far_block),
      .source_i      (far_source),
      .pred_valid_o  (whole_valid),
      .pred_block_o  (whole_place),
      .pred_o        (whole_pred),
      .best_16x16_o  (best_16x16),
      .best_chroma_o (best_chroma),
      .least_16x16_o (least_16x16),
      .luma_known_o  (luma_known),
      .chroma_known_o(chroma_known)
  );

  // ---- P macroblocks: searches, choice, prediction -----------------------------------------------------------------------------
  logic       inter_read, inter_valid, skip_vector, intra_wins;
  logic [4:0] inter_place;
  block_t     inter_pred;
  vector_t    vector, difference;
  mode_decision_inter #(
      .MB_WIDTH_MAX(MB_WIDTH_MAX)
  ) i_inter (
      .clk           (clk),
      .rst_n         (rst_n),
      .start_i       (state_q == S_BEGIN && inter_i),
      .x_i           (x_q),
      .y_i           (y_q),
      .mb_width_i    (mb_width_i),
      .mb_height_i   (mb_height_i),
      .qp_i          (qp_i),
      .temporal_i    (temporal_i),
      .chroma_i      (code_chroma && inter_q),
      .end_i         (state_q == S_END && inter_i),
      .source_read_o (inter_read),
      .source_block_o(inter_block),
      .source_i      (near_source),
      .intra_may_i   (intra_may_i),
      .intra_known_i (luma_known),
      .intra_cost_i  (least_16x16),
      .intra_o       (intra_wins),
      .store_i       (store_i),
      .store_o       (store_o),
      .pred_valid_o  (inter_valid),
      .pred_block_o  (inter_place),
      .pred_o        (inter_pred),
      .vector_o      (vector),
      .difference_o  (difference),
      .skip_o        (skip_vector)
  );
  assign near_read = inter_q ? inter_read : state_q == S_PREDICT;

  // A predicted block beside its source
  block_t     pred_source;
  logic       pred_valid;
  logic [4:0] pred_place;
  block_t     pred;
  assign pred_source = inter_q ? near_source : far_source;
  assign pred_valid = inter_q ? inter_valid : whole_valid;
  assign pred_place = inter_q ? inter_place : whole_place;
  assign pred       = inter_q ? inter_pred : whole_pred;

  assign beyond = luma_known && $signed({1'b0, total}) > $signed({1'b0, least_16x16}) - $signed({1'b0, COST_W'(ahead_cost)});

  // ---- transform ------------------------------------------------------------------------------------------------------------------
  logic             chroma_q;      // the two passes are chroma's
  logic [4:0]       went_q, came_q;  // blocks of a pass into and out of the transform
  logic [4:0]       pass_blocks;
  logic             second_q;      // a block of the second pass has been read
  logic [3:0]       second_block_q;
  levels_t          second_levels;
  block_t           second_pred;
  logic [15:0][15:0] dc_q, scaled_q;
  logic             dc_sent_q;
  logic             ac_any_q, dc_any_q;
  assign pass_blocks = chroma_q ? 5'd8 : 5'd16;

  logic             t_in_valid, t_out_valid;
  logic [2:0]       t_in_op, t_out_op;
  levels_t          t_in_data;
  logic [15:0]      t_in_dc;
  block_t           t_in_pred, t_out_recon;
  levels_t          t_out_levels, t_out_scaled;
  logic [4:0]       t_out_count;
  logic [15:0]      t_out_dc;

  function automatic levels_t residual_of(input block_t source, input block_t prediction);
    for (int unsigned i = 0; i < 16; i++) residual_of[i] = 16'(source[i]) - 16'(prediction[i]);
  endfunction

  logic dc_goes;
  logic dc_second;  // the one of Cr
  assign dc_second = dc_sent_q;
  assign dc_goes   = state_q == S_DC && went_q < (chroma_q ? 5'd2 : 5'd1);
  always_comb begin
    t_in_valid = 1'b0;
    t_in_op    = OP_BLOCK;
    t_in_data  = residual_of(near_source, least_pred);
    t_in_pred  = least_pred;
    t_in_dc    = scaled_q[second_block_q];
    unique case (state_q)
      S_CHOOSE: t_in_valid = chosen && !beyond;
      S_INTER: begin
        t_in_valid = pred_valid;
        t_in_data  = residual_of(pred_source, pred);
        t_in_pred  = pred;
      end
      S_FIRST: begin
        t_in_valid = pred_valid;
        t_in_op    = OP_AC;
        t_in_data  = residual_of(pred_source, pred);
      end
      S_DC: begin
        t_in_valid = dc_goes;
        t_in_op    = chroma_q ? OP_CHROMA_DC : OP_LUMA_DC;
        t_in_data  = dc_second ? levels_t'({192'd0, dc_q[7:4]}) : dc_q;
      end
      S_SECOND: begin
        t_in_valid = second_q;
        t_in_op    = OP_INVERSE;
        t_in_data  = second_levels;
        t_in_pred  = second_pred;
      end
      default: ;
    endcase
  end
  /* verilator lint_off PINCONNECTEMPTY */
  transform #(
      .LEVEL_MAX(LEVEL_MAX)
  ) i_transform (
      .clk         (clk),
      .rst_n       (rst_n),
      .in_valid_i  (t_in_valid),
      .in_ready_o  (),
      .in_op_i     (t_in_op),
      .in_qp_i     (chroma_q ? qp_chroma_i : qp_i),
      .in_inter_i  (inter_q),
      .in_data_i   (t_in_data),
      .in_dc_i     (t_in_dc),
      .in_pred_i   (t_in_pred),
      .out_valid_o (t_out_valid),
      .out_ready_i (1'b1),
      .out_op_o    (t_out_op),
      .out_levels_o(t_out_levels),
      .out_count_o (t_out_count),
      .out_dc_o    (t_out_dc),
      .out_scaled_o(t_out_scaled),
      .out_recon_o (t_out_recon)
  );
  /* verilator lint_on PINCONNECTEMPTY */

  // Between the passes: levels as they came, predictions as they went
  logic second_read;
  assign second_read = state_q == S_SECOND && went_q < pass_blocks;
  sram_1r1w #(
      .DATA_W(256),
      .WORDS (16)
  ) i_between (
      .clk            (clk),
      .write_i        (t_out_valid && t_out_op == OP_AC),
      .write_address_i(came_q[3:0]),
      .write_data_i   (t_out_levels),
      .read_i         (second_read),
      .read_address_i (went_q[3:0]),
      .read_data_o    (second_levels)
  );
  sram_1r1w #(
      .DATA_W(128),
      .WORDS (16)
  ) i_predictions (
      .clk            (clk),
      .write_i        (pred_valid),
      .write_address_i(chroma_q ? {1'b0, pred_place[2:0]} : pred_place[3:0]),
      .write_data_i   (pred),
      .read_i         (second_read),
      .read_address_i (went_q[3:0]),
      .read_data_o    (second_pred)
  );

  // ---- results ----------------------------------------------------------------------------------------------------------------------
  logic [3:0] raster_out;   // luma block that comes out
  assign raster_out = state_q == S_CODE ? {by, bx} : came_q[3:0];
  always_comb begin
    level_write_o  = t_out_valid && t_out_op != OP_INVERSE;
    level_o        = t_out_levels;
    unique case (t_out_op)
      OP_BLOCK:     level_row_o = state_q == S_INTER ? 5'(block_of_raster(came_q[3:0])) : 5'(block_q);
      OP_AC:        level_row_o = chroma_q ? 5'(CHROMA_AC) + came_q : 5'(block_of_raster(came_q[3:0]));
      OP_LUMA_DC:   level_row_o = 5'(LUMA_DC);
      default:      level_row_o = 5'(CB_DC) + came_q;
    endcase
    // the vector difference goes before the first levels, beside the first two predictions
    if (state_q == S_INTER && pred_valid && pred_place < 5'd2) begin
      level_write_o = 1'b1;
      level_row_o   = 5'(MVD) + pred_place;
      level_o       = {16{16'($signed(difference[pred_place[0]]))}};
    end
    sample_write_o = t_out_valid && (t_out_op == OP_BLOCK || t_out_op == OP_INVERSE);
    sample_o       = t_out_recon;
    sample_block_o = chroma_q ? 5'(CB) + came_q : 5'(raster_out);
  end

  always_ff @(posedge clk) begin
    if (state_q == S_BEGIN) begin
      top_q        <= {line_read.luma[3:0], above_q.luma};
      side_q       <= left_q.luma;
      corners_q    <= {left_q.luma[11], left_q.luma[7], left_q.luma[3], corner_luma_q};
      top_modes_q  <= above_q.modes;
      side_modes_q <= left_q.modes;
    end else begin
      if (sample_write_o && !chroma_q) begin
        for (int unsigned i = 0; i < 4; i++) begin
          top_q[{1'b0, raster_out[1:0], 2'(i)}] <= t_out_recon[12+i];
          side_q[{raster_out[3:2], 2'(i)}]      <= t_out_recon[4*i+3];
        end
        corners_q[raster_out[3:2]] <= top_q[{1'b0, raster_out[1:0], 2'd3}];
      end
      if (sample_write_o && chroma_q) begin
        for (int unsigned i = 0; i < 4; i++) begin
          top_chroma_q[came_q[2]][{came_q[0], 2'(i)}]  <= t_out_recon[12+i];
          side_chroma_q[came_q[2]][{came_q[1], 2'(i)}] <= t_out_recon[4*i+3];
        end
      end
      if (state_q == S_CHOOSE && chosen) begin
        top_modes_q[bx]  <= least_mode;
        side_modes_q[by] <= least_mode;
      end
      if (state_q == S_MODES || (state_q == S_INTER && pred_valid)) begin  // neighbours see DC
        top_modes_q  <= {4{MODE_DC}};
        side_modes_q <= {4{MODE_DC}};
      end
    end
  end

  // ---- syntax -------------------------------------------------------------------------------------------------------------------------
  logic             i16_q;
  logic [3:0]       cbp_luma_q;
  logic [15:0]      coded_q;   // inter: blocks with levels, raster order
  logic [15:0][3:0] codes_q;
  logic [1:0]       cbp_chroma_q;
  always_comb begin
    end_syntax_o             = '0;
    end_syntax_o.mb_type     = i16_q ? I_16X16 : I_4X4;
    end_syntax_o.cbp         = {cbp_chroma_q, cbp_luma_q};
    end_syntax_o.i16_mode    = best_16x16;
    end_syntax_o.chroma_mode = best_chroma;
    end_syntax_o.intra_code  = i16_q ? '0 : codes_q;
    end_syntax_o.ref_idx     = '1;
    if (inter_q) begin
      end_syntax_o.mb_type     = skip_vector && end_syntax_o.cbp == 0 ? P_SKIP : INTER_16X16;
      end_syntax_o.chroma_mode = '0;
      end_syntax_o.intra_code  = '0;
      end_syntax_o.ref_idx[0]  = '0;
    end
  end
  assign end_o           = state_q == S_END;
  assign end_record_o    = '{x: x_q, y: y_q, inter: inter_q, coded: coded_q, vector: vector};
  assign macroblock_ends = state_q == S_END;

  // ---- control ------------------------------------------------------------------------------------------------------------------------
  logic pass_back;           // the last block of a pass has come out
  assign pass_back   = t_out_valid && came_q + 5'd1 == pass_blocks;
  assign compare     = state_q == S_BEGIN;
  assign code_luma   = state_q == S_MODES && chroma_known;
  assign code_chroma = (state_q == S_CODE && t_out_valid && block_q == 4'd15) || (state_q == S_INTER && pass_back) ||
                       (state_q == S_SECOND && pass_back && !chroma_q);
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q     <= S_IDLE;
      x_q         <= '0;
      y_q         <= '0;
      block_q     <= '0;
      chroma_q    <= 1'b0;
      went_q      <= '0;
      came_q      <= '0;
      second_q    <= 1'b0;
      dc_sent_q   <= 1'b0;
    end else begin
      second_q <= second_read;
      unique case (state_q)
        S_IDLE: begin
          if (source_there && room_i) state_q <= x_q == 0 && up_there ? S_LINE : S_NEXT;
        end
        S_LINE: state_q <= S_NEXT;
        S_NEXT: state_q <= S_BEGIN;
        S_BEGIN: begin
          state_q  <= inter_i ? S_INTER : S_PREDICT;
          block_q  <= '0;
          came_q   <= '0;
          chroma_q <= 1'b0;
        end
        S_PREDICT: if (near_in_ready) state_q <= S_CHOOSE;
        S_CHOOSE: begin
          if (chosen) state_q <= beyond ? S_MODES : S_CODE;
        end
        S_CODE: begin
          if (t_out_valid) begin
            block_q <= block_q + 4'd1;
            state_q <= S_PREDICT;
            if (block_q == 4'd15) begin
              state_q  <= S_FIRST;
              chroma_q <= 1'b1;
              went_q   <= '0;
              came_q   <= '0;
            end
          end
        end
        S_INTER: begin
          if (intra_wins) state_q <= S_PREDICT;
          if (t_out_valid) came_q <= came_q + 5'd1;
          if (pass_back) begin
            state_q  <= S_FIRST;
            chroma_q <= 1'b1;
            went_q   <= '0;
            came_q   <= '0;
          end
        end
        S_MODES: begin
          if (chroma_known) begin
            state_q <= S_FIRST;
            went_q  <= '0;
            came_q  <= '0;
          end
        end
        S_FIRST: begin
          if (t_out_valid) came_q <= came_q + 5'd1;
          if (pass_back) begin
            state_q   <= S_DC;
            went_q    <= '0;
            came_q    <= '0;
            dc_sent_q <= 1'b0;
          end
        end
        S_DC: begin
          if (dc_goes) begin
            went_q    <= went_q + 5'd1;
            dc_sent_q <= 1'b1;
          end
          if (t_out_valid) begin
            came_q <= came_q + 5'd1;
            if (!chroma_q || came_q == 5'd1) begin
              state_q <= S_SECOND;
              went_q  <= '0;
              came_q  <= '0;
            end
          end
        end
        S_SECOND: begin
          if (second_read) went_q <= went_q + 5'd1;
          if (t_out_valid) came_q <= came_q + 5'd1;
          if (pass_back) begin
            state_q <= S_END;
            if (!chroma_q) begin
              state_q  <= S_FIRST;
              chroma_q <= 1'b1;
              came_q   <= '0;
              went_q   <= '0;
            end
          end
        end
        default: begin  // S_END
          state_q <= S_IDLE;
          x_q     <= x_q + 9'd1;
          if (x_q + 9'd1 == mb_width_i) begin
            x_q <= '0;
            y_q <= y_q + 9'd1;
          end
        end
      endcase
      if (start_i) begin
        x_q <= '0;
        y_q <= '0;
      end
    end
  end

  always_ff @(posedge clk) begin
    second_block_q <= went_q[3:0];
    if (state_q == S_IDLE) inter_q <= inter_i;
    else if (intra_wins) inter_q <= 1'b0;
    if (state_q == S_NEXT && x_q == 0) above_q <= line_read;
    if (state_q == S_BEGIN) begin
      next_above_q  <= line_read;
      i16_q         <= 1'b0;
      total_q       <= '0;
      cbp_luma_q    <= '0;
      coded_q       <= '0;
      ac_any_q      <= 1'b0;
      dc_any_q      <= 1'b0;
    end
    if (state_q == S_CHOOSE && chosen) begin
      total_q          <= total;
      codes_q[block_q] <= least_mode == likely ? 4'd0 : 4'd1 + least_mode - 4'(least_mode > likely);
    end
    if (state_q == S_CODE && t_out_valid && t_out_count != 0) cbp_luma_q[block_q[3:2]] <= 1'b1;
    if (state_q == S_INTER && t_out_valid && t_out_count != 0) begin
      cbp_luma_q[{came_q[3], came_q[1]}] <= 1'b1;
      coded_q[came_q[3:0]]               <= 1'b1;
    end
    if (state_q == S_MODES) i16_q <= 1'b1;
    if (state_q == S_FIRST && t_out_valid) begin
      dc_q[came_q[3:0]] <= t_out_dc;
      if (t_out_count != 0) ac_any_q <= 1'b1;
    end
    if (state_q == S_DC && t_out_valid) begin
      if (t_out_count != 0) dc_any_q <= 1'b1;
      if (chroma_q && came_q == 5'd1) scaled_q[7:4] <= t_out_scaled[3:0];
      else scaled_q <= t_out_scaled;
    end
    if (state_q == S_SECOND && pass_back) begin
      if (!chroma_q) cbp_luma_q <= {4{ac_any_q}};
      cbp_chroma_q <= ac_any_q ? 2'd2 : {1'b0, dc_any_q};
      ac_any_q     <= 1'b0;
      dc_any_q     <= 1'b0;
    end
    if (state_q == S_END) begin
      left_q          <= own;
      corner_luma_q   <= above_q.luma[15];
      corner_chroma_q <= {above_q.chroma[1][7], above_q.chroma[0][7]};
      above_q         <= next_above_q;
    end
  end

  property p_inside;
    @(posedge clk) disable iff (!rst_n || $time == 0) state_q != S_IDLE |-> x_q < mb_width_i && 32'(mb_width_i) <= MB_WIDTH_MAX;
  endproperty
  assert property (p_inside) else $error("mode_decision: column %0d of a picture of %0d", x_q, mb_width_i);
  property p_known;
    @(posedge clk) disable iff (!rst_n || $time == 0) state_q == S_CHOOSE && chosen && block_q == 4'd15 |-> chroma_known;
  endproperty
  assert property (p_known) else $error("mode_decision: Intra4x4 is through before the modes of 16x16 and chroma are known");

endmodule

`default_nettype wire
