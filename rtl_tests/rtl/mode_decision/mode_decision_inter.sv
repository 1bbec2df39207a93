// Mode decision of P macroblocks in one pass: 16x16 from one reference, with the best vector of the searches or that of
// P_Skip, whichever has the smaller SATD and rate, and the prediction from it; or an intra macroblock, where Intra16x16
// undercuts both.
// Model twin: asic_model/engines/mode_decision/single_pass.py. Bench: rtl_tests/encode_core/.
//
//   source rows, means  -> motion_search -> fractional_search --> choice -> luma, chroma prediction
//                                           SATD of P_Skip ---/   (beside the fractional search)
//
// The predicted vector is exact: a macroblock begins when the one to its left is complete.

`default_nettype none

module mode_decision_inter
  import encode_core_pkg::*;
  import mode_decision_pkg::*;
#(
    parameter int unsigned MB_WIDTH_MAX = 256  // widest picture, macroblocks
) (
    input  wire logic                clk,
    input  wire logic                rst_n,

    input  wire logic                start_i,         // pulse: a macroblock begins; the rest stands until its end
    input  wire logic [8:0]          x_i,
    input  wire logic [8:0]          y_i,
    input  wire logic [8:0]          mb_width_i,
    input  wire logic [8:0]          mb_height_i,
    input  wire logic [5:0]          qp_i,
    input  wire logic                temporal_i,      // the reference's vectors count
    input  wire logic                chroma_i,        // pulse: luma has been coded
    input  wire logic                end_i,           // pulse: the macroblock is complete

    output      logic                source_read_o,   // of its source, 4x4 blocks
    output      logic [4:0]          source_block_o,
    input  wire block_t              source_i,        // a cycle later

    input  wire store_read_t         store_i,
    output      store_ask_t          store_o,

    input  wire logic                intra_may_i,     // intra macroblocks are allowed
    input  wire logic                intra_known_i,   // the next one is
    input  wire logic [19:0]         intra_cost_i,    // least SATD of Intra16x16
    output      logic                intra_o,         // pulse: intra has won
    output      logic                pred_valid_o,    // predictions, luma in raster order, then Cb, Cr, beside their source
    output      logic [4:0]          pred_block_o,
    output      block_t              pred_o,
    output      vector_t             vector_o,        // from the first prediction on
    output      vector_t             difference_o,    // to the predicted vector
    output      logic                skip_o           // it is the vector of P_Skip
);

  localparam int unsigned COLUMN_W = $clog2(MB_WIDTH_MAX);
  localparam int unsigned RANGE_X = 32, RANGE_Y = 16, CENTRES = 2, RING = 16;  // those of the store
  localparam logic signed [13:0] REACH_X = 14'(4 * RANGE_X + 3), REACH_Y = 14'(4 * RANGE_Y + 3);
  localparam logic signed [13:0] BORDER = 14'sd24;  // a prediction begins at most this far beyond the picture

  typedef enum logic [3:0] {
    S_IDLE,
    S_LINE,      // reads the line above, column 0
    S_NEXT,      // reads the one above right
    S_VECTORS,   // the neighbours' vectors are known
    S_WINDOW,    // waits for the reference store
    S_LOAD,      // source rows and means go to the engines
    S_SEARCH,    // whole samples
    S_REFINE,    // the fractional search asks for its window
    S_ROWS,      // and gets it
    S_SKIP,      // SATD of P_Skip, while the fractional search works
    S_CHOOSE,
    S_CODE       // predictions go out, or the macroblock is coded intra
  } state_e;
  state_e     state_q;
  logic [4:0] count_q;
  logic       load_end, rows_end;
  assign load_end = state_q == S_LOAD && count_q == 5'd20;
  assign rows_end = state_q == S_ROWS && count_q == 5'd22;

  // ---- vectors of neighbours -----------------------------------------------------------------------------------------------
  typedef struct packed {
    logic             inter;   // it refers to the picture
    logic [1:0][13:0] whole;   // what the motion search found, whole samples
    vector_t          vector;  // quarter samples
  } motion_t;
  motion_t line_read, own, up_q, up_right_q, corner_q;
  vector_t left_q;
  logic    left_inter_q;
  logic    left_there, up_there, right_there;
  assign left_there  = x_i != 0;
  assign up_there    = y_i != 0;
  assign right_there = up_there && x_i + 9'd1 != mb_width_i;
  sram_1r1w #(
      .DATA_W($bits(motion_t)),
      .WORDS (MB_WIDTH_MAX)
  ) i_line (
      .clk            (clk),
      .write_i        (end_i),
      .write_address_i(x_i[COLUMN_W-1:0]),
      .write_data_i   (own),
      .read_i         (state_q == S_LINE || state_q == S_NEXT),
      .read_address_i (state_q == S_LINE ? '0 : COLUMN_W'(x_i + 9'd1)),
      .read_data_o    (line_read)
  );
  always_ff @(posedge clk) begin
    if (state_q == S_NEXT && x_i == 0) up_q <= line_read;
    if (state_q == S_VECTORS) up_right_q <= line_read;
    if (end_i) begin
      left_q       <= own.vector;
      left_inter_q <= own.inter;
      corner_q     <= up_q;
      up_q         <= up_right_q;
    end
  end

  typedef logic signed [13:0] place_t;
  function automatic place_t smaller(input place_t a, input place_t b);
    return a < b ? a : b;
  endfunction
  function automatic place_t larger(input place_t a, input place_t b);
    return a > b ? a : b;
  endfunction

  // Median prediction (8.4.1.3) where all who refer to a picture refer to the same, and the vector of P_Skip (8.4.1.1)
  vector_t predicted, skip, predicted_q, skip_q;
  logic    skip_fits_q;
  always_comb begin
    vector_t a, b, c;
    logic    a_refers, b_refers, c_refers;
    a_refers = left_there && left_inter_q;
    b_refers = up_there && up_q.inter;
    c_refers = right_there ? line_read.inter : left_there && up_there && corner_q.inter;
    a        = a_refers ? left_q : '0;
    b        = b_refers ? up_q.vector : '0;
    c        = !c_refers ? '0 : right_there ? line_read.vector : corner_q.vector;
    for (int unsigned i = 0; i < 2; i++) begin
      predicted[i] = larger(smaller(a[i], b[i]), smaller(larger(a[i], b[i]), c[i]));
      if (2'(a_refers) + 2'(b_refers) + 2'(c_refers) == 2'd1) predicted[i] = a[i] | b[i] | c[i];  // the others are 0
    end
    skip = predicted;
    if (!left_there || !up_there || (a_refers && a == '0) || (b_refers && b == '0)) skip = '0;
  end

  place_t low_x, low_y, high_x, high_y;  // whole samples that a prediction may begin at
  assign low_x  = -$signed({1'b0, x_i, 4'd0}) - BORDER;
  assign low_y  = -$signed({1'b0, y_i, 4'd0}) - BORDER;
  assign high_x = $signed({1'b0, mb_width_i - x_i - 9'd1, 4'd0}) + BORDER;
  assign high_y = $signed({1'b0, mb_height_i - y_i - 9'd1, 4'd0}) + BORDER;
  always_ff @(posedge clk) begin
    if (state_q == S_VECTORS) begin
      predicted_q <= predicted;
      skip_q      <= skip;
      skip_fits_q <= 16'($signed(skip[0])) >= 16'(low_x) * 16'sd4 - 16'sd3 && 16'($signed(skip[0])) <= 16'(high_x) * 16'sd4 + 16'sd3 &&
                     16'($signed(skip[1])) >= 16'(low_y) * 16'sd4 - 16'sd3 && 16'($signed(skip[1])) <= 16'(high_y) * 16'sd4 + 16'sd3;
    end
  end

  // ---- source and means to the engines -------------------------------------------------------------------------------------
  // Blocks come in raster order: with the fourth of a strip its four rows are there, which go on in the next four cycles.
  logic                   loading_q, row_valid_q, mean_q;
  logic [1:0]             load_block_q;
  logic [3:0]             row_q, mean_row_q;
  logic [3:0][15:0][7:0]  strip, rows_q;
  block_t [2:0]           held_q;
  logic [1:0]             rows_left;
  assign rows_left = row_q[1:0];
  always_comb begin
    for (int unsigned r = 0; r < 4; r++) begin
      for (int unsigned k = 0; k < 3; k++) strip[r][4*k+:4] = held_q[2-k][4*r+:4];
      strip[r][12+:4] = source_i[4*r+:4];
    end
  end
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      loading_q   <= 1'b0;
      row_valid_q <= 1'b0;
      mean_q      <= 1'b0;
      row_q       <= '0;
    end else begin
      loading_q <= state_q == S_LOAD && count_q < 5'd16;
      mean_q    <= store_o.quarter_read;
      if (row_valid_q) row_q <= row_q + 4'd1;
      if (row_valid_q && rows_left == 2'd3) row_valid_q <= 1'b0;
      if (loading_q && load_block_q == 2'd3) row_valid_q <= 1'b1;
    end
  end
  always_ff @(posedge clk) begin
    load_block_q <= count_q[1:0];
    mean_row_q   <= store_o.quarter_row;
    if (loading_q) held_q <= {held_q[1:0], source_i};
    if (loading_q && load_block_q == 2'd3) rows_q <= strip;
    else if (row_valid_q) rows_q <= {128'd0, rows_q[3:1]};
  end

  // The first level's window moves inwards at the picture's edges, as the engine takes it.
  place_t first_mean, most_x;
  always_comb begin
    most_x     = smaller(place_t'(RANGE_X), high_x);
    first_mean = larger(-place_t'(RANGE_X / 4), low_x >>> 2);
    first_mean = smaller(first_mean, (most_x >>> 2) - place_t'(RANGE_X / 2) + 14'sd1);
    first_mean = larger(first_mean, low_x >>> 2);
  end
  assign store_o.quarter_read = state_q == S_LOAD && count_q < 5'd11;
  assign store_o.quarter_row  = count_q[3:0];
  assign store_o.quarter_x    = {store_i.place, 2'd0} + 6'(first_mean);

  // ---- whole samples --------------------------------------------------------------------------------------------------------
  logic             search_ready, found;
  /* verilator lint_off UNUSEDSIGNAL */  // of 16x16 alone
  logic [8:0][10:0] found_x, found_y;
  logic [8:0][13:0] refined_x, refined_y;
  logic [8:0][17:0] refined_cost;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [1:0][10:0] whole_q;
  logic             asked_q;    // the engine at work has its command
  /* verilator lint_off PINCONNECTEMPTY */
  motion_search #(
      .LANES       (256),
      .RANGE_X     (RANGE_X),
      .RANGE_Y     (RANGE_Y),
      .CENTRES     (CENTRES),
      .RADIUS      (2),
      .RADIUS_PARTS(1),
      .RING        (RING)
  ) i_motion_search (
      .clk              (clk),
      .rst_n            (rst_n),
      .current_valid_i  (row_valid_q),
      .current_row_i    (row_q),
      .current_data_i   (rows_q[0]),
      .quarter_valid_i  (mean_q),
      .quarter_row_i    (mean_row_q),
      .quarter_data_i   (store_i.quarter),
      .window_valid_i   (store_i.window_valid),
      .window_row_i     (store_i.window_row),
      .window_word_i    (store_i.window_word),
      .window_data_i    (store_i.window_data),
      .cmd_valid_i      (state_q == S_SEARCH && !asked_q),
      .cmd_ready_o      (search_ready),
      .cmd_word_i       (store_i.place - 4'(RANGE_X / 16)),
      .cmd_mb_x_i       (x_i),
      .cmd_mb_y_i       (y_i),
      .cmd_mb_width_i   (mb_width_i),
      .cmd_mb_height_i  (mb_height_i),
      .cmd_above_left_i (corner_q.whole),
      .cmd_above_i      (up_q.whole),
      .cmd_above_right_i(up_right_q.whole),
      .cmd_colocated_i  (store_i.colocated),
      .cmd_temporal_i   (temporal_i),
      .cmd_lambda_i     (12'(LAMBDA[qp_i])),
      .cmd_centres_i    (4'(CENTRES)),
      .cmd_parts_i      (1'b1),
      .out_valid_o      (found),
      .out_ready_i      (1'b1),
      .out_mv_x_o       (found_x),
      .out_mv_y_o       (found_y),
      .out_cost_o       (),
      .lanes_busy_o     ()
  );
  /* verilator lint_on PINCONNECTEMPTY */
  always_ff @(posedge clk) if (found) whole_q <= {found_y[0], found_x[0]};

  // ---- fractional samples: the window's rows come from the store ----------------------------------------------------------------
  logic        refine_ready, wants_window, row_comes_q, window_ready, refined, refined_q;
  logic [17:0] cost_q;
  vector_t     best_q;
  /* verilator lint_off PINCONNECTEMPTY */
  fractional_search i_fractional_search (
      .clk            (clk),
      .rst_n          (rst_n),
      .current_valid_i(row_valid_q),
      .current_row_i  (row_q),
      .current_data_i (rows_q[0]),
      .cmd_valid_i    (state_q == S_REFINE && !asked_q),
      .cmd_ready_o    (refine_ready),
      .cmd_wanted_i   (9'd1),
      .cmd_whole_x_i  ({88'd0, whole_q[0]}),
      .cmd_whole_y_i  ({88'd0, whole_q[1]}),
      .cmd_predicted_i({16'($signed(predicted_q[1])), 16'($signed(predicted_q[0]))}),
      .cmd_lambda_i   (12'(LAMBDA[qp_i])),
      .request_valid_o(wants_window),
      .request_ready_i(state_q == S_REFINE),
      .request_x_o    (),
      .request_y_o    (),
      .window_valid_i (row_comes_q),
      .window_ready_o (window_ready),
      .window_data_i  (store_i.luma),
      .out_valid_o    (refined),
      .out_ready_i    (1'b1),
      .out_mv_x_o     (refined_x),
      .out_mv_y_o     (refined_y),
      .out_cost_o     (refined_cost)
  );
  /* verilator lint_on PINCONNECTEMPTY */

  // ---- prediction: of P_Skip for its SATD, then of the vector that was chosen ------------------------------------------------------
  vector_t    vector_q, aim;
  logic       aim_luma_read, aim_chroma_read, predict_luma, block_valid;
  logic       intra_wins;     // over both
  logic [4:0] aim_luma_row, block;
  block_t     samples;
  logic [3:0] aim_chroma_row;
  assign aim          = state_q == S_SKIP ? (skip_fits_q ? skip_q : '0) : vector_q;
  assign predict_luma = rows_end || (state_q == S_CHOOSE && !intra_wins);
  inter_prediction i_prediction (
      .clk           (clk),
      .rst_n         (rst_n),
      .luma_i        (predict_luma),
      .chroma_i      (chroma_i),
      .vector_i      (aim),
      .luma_read_o   (aim_luma_read),
      .luma_row_o    (aim_luma_row),
      .luma_data_i   (store_i.luma[20:0]),
      .chroma_read_o (aim_chroma_read),
      .chroma_plane_o(store_o.chroma_plane),
      .chroma_row_o  (aim_chroma_row),
      .chroma_data_i (store_i.chroma),
      .out_valid_o   (block_valid),
      .out_block_o   (block),
      .out_samples_o (samples)
  );

  // Rows of the store begin 19 (chroma 9) above the macroblock. A prediction's filter begins two samples before it, the
  // fractional search's window three.
  assign store_o.luma_read   = aim_luma_read || (state_q == S_ROWS && count_q < 5'd22);
  assign store_o.chroma_read = aim_chroma_read;
  assign store_o.next        = end_i;
  always_comb begin
    store_o.luma_row = 6'd17 + 6'($signed(aim[1]) >>> 2) + {1'b0, aim_luma_row};
    store_o.luma_x   = {store_i.place, 4'd0} + 8'($signed(aim[0]) >>> 2) - 8'd2;
    if (state_q == S_ROWS) begin
      store_o.luma_row = 6'd16 + 6'(whole_q[1]) + {1'b0, count_q};
      store_o.luma_x   = {store_i.place, 4'd0} + 8'($signed(whole_q[0])) - 8'd3;
    end
    store_o.chroma_row = 5'd9 + 5'($signed(aim[1]) >>> 3) + {1'b0, aim_chroma_row};
    store_o.chroma_x   = {store_i.place, 3'd0} + 7'($signed(aim[0]) >>> 3);
  end

  // A block beside its source; SATD of P_Skip
  logic        satd_valid, satd_last;
  logic [12:0] satd;
  logic        skip_valid_q;
  logic [17:0] skip_satd_q;
  logic        skip_known_q;
  assign source_read_o  = (state_q == S_LOAD && count_q < 5'd16) || block_valid;
  assign source_block_o = state_q == S_LOAD ? {1'b0, count_q[3:0]} : block;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      skip_valid_q <= 1'b0;
      pred_valid_o <= 1'b0;
    end else begin
      skip_valid_q <= block_valid && state_q == S_SKIP;
      pred_valid_o <= block_valid && state_q == S_CODE;
    end
  end
  always_ff @(posedge clk) begin
    pred_block_o <= block;
    pred_o       <= samples;
  end
  mode_decision_satd #(
      .TAG_W(1)
  ) i_satd (
      .clk        (clk),
      .rst_n      (rst_n),
      .in_valid_i (skip_valid_q),
      .in_source_i(source_i),
      .in_pred_i  (pred_o),
      .in_tag_i   (pred_block_o == 5'd15),
      .out_valid_o(satd_valid),
      .out_satd_o (satd),
      .out_tag_o  (satd_last)
  );
  always_ff @(posedge clk) begin
    if (state_q == S_SEARCH) skip_satd_q <= '0;
    else if (satd_valid) skip_satd_q <= skip_satd_q + 18'(satd);
  end

  // ---- choice ------------------------------------------------------------------------------------------------------------------
  logic        takes_skip, intra_q;
  logic [17:0] least;
  assign takes_skip = skip_fits_q && skip_satd_q <= cost_q;
  assign least      = takes_skip ? skip_satd_q : cost_q;
  assign intra_wins = intra_may_i && 21'(intra_cost_i) + 21'((18'(LAMBDA[qp_i]) * 18'(INTRA_AHEAD_BITS)) >> 4) < 21'(least);
  assign intra_o    = state_q == S_CHOOSE && intra_wins;
  always_ff @(posedge clk) begin
    if (refined) begin
      cost_q <= refined_cost[0];
      best_q <= {refined_y[0], refined_x[0]};
    end
    if (state_q == S_CHOOSE) begin
      vector_q <= takes_skip ? skip_q : best_q;
      intra_q  <= intra_wins;
    end
  end
  assign vector_o     = vector_q;
  assign skip_o       = vector_q == skip_q;
  assign difference_o = {vector_q[1] - predicted_q[1], vector_q[0] - predicted_q[0]};
  assign own          = '{inter: !intra_q, whole: {14'($signed(whole_q[1])), 14'($signed(whole_q[0]))}, vector: vector_q};

  // ---- control -------------------------------------------------------------------------------------------------------------------
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q      <= S_IDLE;
      count_q      <= '0;
      asked_q      <= 1'b0;
      refined_q    <= 1'b0;
      skip_known_q <= 1'b0;
      row_comes_q  <= 1'b0;
    end else begin
      row_comes_q <= state_q == S_ROWS && count_q < 5'd22;
      if (refined) refined_q <= 1'b1;
      if (satd_valid && satd_last) skip_known_q <= 1'b1;
      unique case (state_q)
        S_IDLE: begin
          if (start_i) state_q <= x_i == 0 && up_there ? S_LINE : S_NEXT;
        end
        S_LINE:    state_q <= S_NEXT;
        S_NEXT:    state_q <= S_VECTORS;
        S_VECTORS: state_q <= S_WINDOW;
        S_WINDOW: begin
          count_q <= '0;
          if (store_i.whole) state_q <= S_LOAD;
        end
        S_LOAD: begin
          count_q <= count_q + 5'd1;
          asked_q <= 1'b0;
          if (load_end) state_q <= S_SEARCH;
        end
        S_SEARCH: begin
          if (search_ready) asked_q <= 1'b1;
          if (asked_q && found) begin
            asked_q <= 1'b0;
            state_q <= S_REFINE;
          end
        end
        S_REFINE: begin
          count_q      <= '0;
          refined_q    <= 1'b0;
          skip_known_q <= 1'b0;
          if (refine_ready) asked_q <= 1'b1;
          if (wants_window) state_q <= S_ROWS;
        end
        S_ROWS: begin
          count_q <= count_q + 5'd1;
          if (rows_end) state_q <= S_SKIP;
        end
        S_SKIP:   if (refined_q && skip_known_q && (intra_known_i || !intra_may_i)) state_q <= S_CHOOSE;
        S_CHOOSE: state_q <= S_CODE;
        default:  if (end_i) state_q <= S_IDLE;
      endcase
    end
  end

  property p_window_taken;
    @(posedge clk) disable iff (!rst_n || $time == 0) row_comes_q |-> window_ready;
  endproperty
  assert property (p_window_taken) else $error("mode_decision_inter: a row that the fractional search does not take");
  property p_reach;  // what the store holds around a macroblock
    @(posedge clk) disable iff (!rst_n || $time == 0) predict_luma && state_q == S_CHOOSE |=>
        $signed(vector_q[0]) >= -REACH_X && $signed(vector_q[0]) <= REACH_X &&
        $signed(vector_q[1]) >= -REACH_Y && $signed(vector_q[1]) <= REACH_Y;
  endproperty
  assert property (p_reach) else $error("mode_decision_inter: vector (%0d, %0d)", $signed(vector_q[0]), $signed(vector_q[1]));
  property p_start;
    @(posedge clk) disable iff (!rst_n || $time == 0) start_i |-> state_q == S_IDLE;
  endproperty
  assert property (p_start) else $error("mode_decision_inter: a macroblock begins inside another one");

endmodule

`default_nettype wire
