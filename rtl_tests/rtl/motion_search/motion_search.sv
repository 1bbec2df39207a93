// Motion search engine: whole-sample search of a macroblock in one reference window, at two levels.
// Model twin: asic_model/engines/motion_search.py. Bench: rtl_tests/motion_search/.
//
// One array of LANES absolute differences does both levels in turn: at 1/4 resolution LANES / 16 positions a cycle, at
// full resolution LANES of the 256 samples of a candidate. From one pass over a candidate an adder tree gives the costs
// of all nine partitions. The schedule is the model's: predictors, squares around the centres that the first level
// named, around the best place so far, and around the quadrants' best places (all four taken at once). The two steps
// that need to know a best place wait for the pipeline; the end of a macroblock overlaps the next one's first level.
//
// The macroblock and its window at 1/4 resolution are double-buffered: what is written belongs to the next command.
// Window words go to their place in the ring; those of the running command (cmd_word_i on, WINDOW_WORDS of them) must
// not be written while it runs.

`default_nettype none

module motion_search #(
    parameter int unsigned LANES        = 256,  // absolute differences a cycle: 64, 128 or 256
    parameter int unsigned RANGE_X      = 32,   // search range to each side, samples, a multiple of 32
    parameter int unsigned RANGE_Y      = 16,   // search range up and down, samples, a multiple of 8
    parameter int unsigned CENTRES      = 2,    // places that the first level names at most
    parameter int unsigned RADIUS       = 2,    // of the squares around them, samples
    parameter int unsigned RADIUS_PARTS = 1,    // of the squares around the quadrants' best places, samples
    parameter int unsigned RING         = RANGE_X / 8 + 2  // word columns of the window's ring, even
) (
    input  wire logic                          clk,
    input  wire logic                          rst_n,

    input  wire logic                          current_valid_i,
    input  wire logic [3:0]                    current_row_i,
    input  wire logic [15:0][7:0]              current_data_i,
    input  wire logic                          quarter_valid_i,   // window at 1/4 resolution, row by row
    input  wire logic [$clog2(RANGE_Y/2+3)-1:0] quarter_row_i,
    input  wire logic [RANGE_X/2+2:0][7:0]     quarter_data_i,
    input  wire logic                          window_valid_i,
    input  wire logic [$clog2(2*RANGE_Y+16)-1:0] window_row_i,
    input  wire logic [$clog2(RING)-1:0] window_word_i,
    input  wire logic [15:0][7:0]              window_data_i,

    input  wire logic                          cmd_valid_i,
    output      logic                          cmd_ready_o,
    input  wire logic [$clog2(RING)-1:0] cmd_word_i,        // word column at the window's left edge
    input  wire logic [8:0]                    cmd_mb_x_i,
    input  wire logic [8:0]                    cmd_mb_y_i,
    input  wire logic [8:0]                    cmd_mb_width_i,    // picture, macroblocks
    input  wire logic [8:0]                    cmd_mb_height_i,
    input  wire logic [1:0][13:0]              cmd_above_left_i,  // vectors found there, whole samples, [0] x
    input  wire logic [1:0][13:0]              cmd_above_i,
    input  wire logic [1:0][13:0]              cmd_above_right_i,
    input  wire logic [1:0][15:0]              cmd_colocated_i,   // quarter samples
    input  wire logic                          cmd_temporal_i,    // the co-located vector counts
    input  wire logic [11:0]                   cmd_lambda_i,      // in 1/16
    input  wire logic [3:0]                    cmd_centres_i,     // 1..CENTRES
    input  wire logic                          cmd_parts_i,       // search around the quadrants' best places

    output      logic                          out_valid_o,
    input  wire logic                          out_ready_i,
    output      logic [8:0][10:0]              out_mv_x_o,        // whole, upper, lower, left, right, quadrants
    output      logic [8:0][10:0]              out_mv_y_o,
    output      logic [8:0][17:0]              out_cost_o,        // SAD + lambda * bits
    output      logic                          lanes_busy_o       // the array works in this cycle
);

  localparam int unsigned R        = LANES / 16;         // rows of 16 lanes
  localparam int unsigned PASSES   = 16 / R;             // cycles a candidate
  localparam int unsigned COLUMNS  = RANGE_X / 2;        // first level
  localparam int unsigned ROWS     = RANGE_Y / 2;
  localparam int unsigned SLICES   = COLUMNS / R;        // words of a row of the first level
  localparam int unsigned WORDS    = ROWS * SLICES;
  localparam int unsigned WINDOW_WORDS = RANGE_X / 8 + 1;
  localparam int unsigned WIN_ROWS = 2 * RANGE_Y + 16;
  localparam int unsigned WIN_ROW_W = $clog2(WIN_ROWS);
  localparam int unsigned RING_W   = $clog2(RING);
  localparam int unsigned BORDER   = 24;                 // BORDER_PX of the model
  localparam int unsigned SQUARES  = CENTRES + 5;
  localparam int unsigned STEPS    = CENTRES + 10;
  localparam int unsigned QROW_W   = $clog2(ROWS + 3);
  localparam int unsigned WORD_W   = $clog2(WORDS + 1);
  localparam int unsigned PASS_W   = PASSES == 1 ? 1 : $clog2(PASSES);
  localparam logic [15:0] NEVER    = 16'd32767;

  if ((LANES != 64 && LANES != 128 && LANES != 256) || RANGE_X % 32 != 0 || RANGE_Y % 8 != 0 || RANGE_X < 32 ||
      RANGE_Y < 16 || RANGE_X > 512 || RANGE_Y > 248 || CENTRES < 1 || CENTRES > 8 || RADIUS < 1 || RADIUS > 4 ||
      RADIUS_PARTS < 1 || RADIUS_PARTS > 4 || RING < RANGE_X / 8 + 2) begin : g_parameter_check
    $fatal(1, "motion_search: LANES %0d, RANGE_X %0d, RANGE_Y %0d, CENTRES %0d, RADIUS %0d, RADIUS_PARTS %0d, RING %0d",
           LANES, RANGE_X, RANGE_Y, CENTRES, RADIUS, RADIUS_PARTS, RING);
  end

  typedef logic signed [13:0] place_t;

  function automatic place_t smaller(input place_t a, input place_t b);
    return a < b ? a : b;
  endfunction
  function automatic place_t larger(input place_t a, input place_t b);
    return a > b ? a : b;
  endfunction
  function automatic place_t median(input place_t a, input place_t b, input place_t c);
    return larger(smaller(a, b), smaller(larger(a, b), c));
  endfunction

  // Bits of se(v) of a difference of `whole` samples in quarter samples (9.1.1).
  function automatic logic [5:0] vector_bits(input place_t whole, input place_t predicted);
    logic signed [17:0] value;
    logic [17:0]        code;
    value = (18'(whole) - 18'(predicted)) <<< 2;
    code  = value > 0 ? {value[16:0], 1'b0} : {17'(-value), 1'b0} + 18'd1;
    vector_bits = 6'd1;
    for (int unsigned i = 1; i < 18; i++) if (code[i]) vector_bits = 6'(2 * i + 1);
  endfunction

  function automatic logic [7:0] difference(input logic [7:0] a, input logic [7:0] b);
    return a > b ? a - b : b - a;
  endfunction

  // ---- buffers -----------------------------------------------------------------------------------------------------------
  logic                                       side_q;  // buffers of the running command; the others are being written
  logic [1:0][15:0][15:0][7:0]                current_q;
  logic [1:0][ROWS+2:0][COLUMNS+2:0][7:0]     quarter_q;
  logic [3:0][3:0][7:0]                       current_quarter;  // rounded means of 4x4 samples
  always_ff @(posedge clk) begin
    if (current_valid_i) current_q[!side_q][current_row_i] <= current_data_i;
    if (quarter_valid_i) quarter_q[!side_q][quarter_row_i] <= quarter_data_i;
  end
  always_comb begin
    for (int unsigned y = 0; y < 4; y++) begin
      for (int unsigned x = 0; x < 4; x++) begin
        logic [11:0] total;
        total = 12'd8;
        for (int unsigned i = 0; i < 16; i++) total = total + 12'(current_q[side_q][4*y+i/4][4*x+i%4]);
        current_quarter[y][x] = 8'(total >> 4);
      end
    end
  end

  // ---- the command -------------------------------------------------------------------------------------------------------
  logic              accept;
  logic [RING_W-1:0] word_q;
  logic [11:0]       lambda_q;
  logic [3:0]        centres_q;
  logic              parts_q, above_there_q, right_there_q;
  place_t            low_x_q, high_x_q, low_y_q, high_y_q, start_x_q, start_y_q;
  place_t            predicted_x_q, predicted_y_q, time_x_q, time_y_q;
  logic [1:0][13:0]  above_q, above_right_q;
  place_t            columns_here_q;
  logic [7:0]        rows_here_q;

  place_t low_x, high_x, low_y, high_y, start_x, start_y, time_x, time_y, predicted_x, predicted_y;
  always_comb begin
    place_t edge_x, edge_y;
    logic   right_there;
    edge_x = -14'sd16 * place_t'({5'd0, cmd_mb_x_i}) - place_t'(BORDER);
    edge_y = -14'sd16 * place_t'({5'd0, cmd_mb_y_i}) - place_t'(BORDER);
    low_x  = larger(-place_t'(RANGE_X), edge_x);
    low_y  = larger(-place_t'(RANGE_Y), edge_y);
    high_x = smaller(place_t'(RANGE_X), 14'sd16 * place_t'({5'd0, cmd_mb_width_i - cmd_mb_x_i}) - 14'sd16 +
                                        place_t'(BORDER));
    high_y = smaller(place_t'(RANGE_Y), 14'sd16 * place_t'({5'd0, cmd_mb_height_i - cmd_mb_y_i}) - 14'sd16 +
                                        place_t'(BORDER));
    // the window of the first level moves inwards at the picture's edges; 16 * mb + BORDER is a multiple of 4
    start_x = larger(-place_t'(RANGE_X / 4), edge_x >>> 2);
    start_x = smaller(start_x, (high_x >>> 2) - place_t'(COLUMNS) + 14'sd1);
    start_x = larger(start_x, edge_x >>> 2);
    start_y = larger(-place_t'(RANGE_Y / 4), edge_y >>> 2);
    start_y = smaller(start_y, (high_y >>> 2) - place_t'(ROWS) + 14'sd1);
    start_y = larger(start_y, edge_y >>> 2);

    time_x = '0;
    time_y = '0;
    if (cmd_temporal_i) begin
      time_x = place_t'((17'($signed(cmd_colocated_i[0])) + 17'sd2) >>> 2);
      time_y = place_t'((17'($signed(cmd_colocated_i[1])) + 17'sd2) >>> 2);
    end
    right_there = cmd_mb_x_i + 9'd1 < cmd_mb_width_i;
    predicted_x = time_x;
    predicted_y = time_y;
    if (cmd_mb_y_i != 0) begin
      predicted_x = $signed(cmd_above_i[0]);
      predicted_y = $signed(cmd_above_i[1]);
      if (right_there && cmd_temporal_i) begin
        predicted_x = median($signed(cmd_above_i[0]), $signed(cmd_above_right_i[0]), time_x);
        predicted_y = median($signed(cmd_above_i[1]), $signed(cmd_above_right_i[1]), time_y);
      end else if (right_there && cmd_mb_x_i != 0) begin
        predicted_x = median($signed(cmd_above_i[0]), $signed(cmd_above_right_i[0]), $signed(cmd_above_left_i[0]));
        predicted_y = median($signed(cmd_above_i[1]), $signed(cmd_above_right_i[1]), $signed(cmd_above_left_i[1]));
      end
    end
  end
  always_ff @(posedge clk) begin
    if (accept) begin
      word_q         <= cmd_word_i;
      lambda_q       <= cmd_lambda_i;
      centres_q      <= cmd_centres_i;
      parts_q        <= cmd_parts_i;
      above_there_q  <= cmd_mb_y_i != 0;
      right_there_q  <= cmd_mb_y_i != 0 && cmd_mb_x_i + 9'd1 < cmd_mb_width_i;
      low_x_q        <= low_x;
      high_x_q       <= high_x;
      low_y_q        <= low_y;
      high_y_q       <= high_y;
      start_x_q      <= start_x;
      start_y_q      <= start_y;
      columns_here_q <= smaller(place_t'(COLUMNS), (high_x >>> 2) - start_x + 14'sd1);
      rows_here_q    <= 8'(smaller(place_t'(ROWS), (high_y >>> 2) - start_y + 14'sd1));
      predicted_x_q  <= predicted_x;
      predicted_y_q  <= predicted_y;
      time_x_q       <= time_x;
      time_y_q       <= time_y;
      above_q        <= cmd_above_i;
      above_right_q  <= cmd_above_right_i;
    end
  end

  // ---- schedule ----------------------------------------------------------------------------------------------------------
  typedef enum logic [1:0] {S_IDLE, S_COARSE, S_FINE, S_END} state_e;
  state_e              state_q;
  logic [WORD_W-1:0]   coarse_at_q;         // word of the first level
  logic [4:0]          step_q;              // what comes next: 0..4 predictors, centres, best place, quadrants
  logic                square_valid_q;      // a square is being searched
  place_t              square_x0_q, square_x1_q, square_y1_q, at_x_q, at_y_q;
  logic [PASS_W-1:0]   pass_q;
  logic                pipe_busy;           // candidates are under way
  logic                hold;                // the result of the macroblock before waits to be taken

  // Centres from the first level
  logic [CENTRES-1:0]         centre_ready_q, centre_found_q;
  logic [CENTRES-1:0][7:0]    centre_row_q;
  logic [CENTRES-1:0][7:0]    centre_column_q;

  logic [15:0]        least_q;       // cheapest so far of the pass that runs
  logic [7:0]         least_row_q, least_column_q;
  logic [3:0]         centre_q;      // centre that is being looked for
  logic               scan_end_q;    // the pass is over

  // Best place and cost of each partition
  logic [8:0][17:0] best_q;
  place_t           best_x_q [9];
  place_t           best_y_q [9];
  place_t           best_x_d [9];  // with the candidate that is being compared: a step that waits goes on a cycle earlier
  place_t           best_y_d [9];
  place_t           part_x_q [4];
  place_t           part_y_q [4];
  logic             parts_taken_q;

  // Squares searched already
  logic [3:0]       squares_q;
  place_t           known_x_q [SQUARES];
  place_t           known_y_q [SQUARES];

  localparam logic [4:0] STEP_CENTRE = 5'd5;
  localparam logic [4:0] STEP_BEST   = 5'(5 + CENTRES);
  localparam logic [4:0] STEP_PARTS  = 5'(6 + CENTRES);

  // What a step may begin with: its own place and, when the best places are known, those of the quadrants that are left.
  // Of these the first whose square has not been searched begins, in one cycle, however many are passed over.
  place_t           step_x, step_y, step_radius;
  place_t           place_x [5];
  place_t           place_y [5];
  logic       [4:0] place_there, place_fresh;
  logic       [2:0] place;
  logic             step_there, step_wait, step_square, step_go, step_begins, parts_here, square_ends, square_free;
  logic       [3:0] centre_number;
  assign centre_number = 4'(step_q - STEP_CENTRE);
  always_comb begin
    step_there  = 1'b1;
    step_wait   = 1'b0;
    step_square = 1'b0;
    step_x      = '0;
    step_y      = '0;
    step_radius = '0;
    if (step_q < STEP_CENTRE) begin
      unique case (step_q[2:0])
        3'd1: begin
          step_x = predicted_x_q;
          step_y = predicted_y_q;
        end
        3'd2: begin
          step_x = time_x_q;
          step_y = time_y_q;
        end
        3'd3: begin
          step_there = above_there_q;
          step_x     = $signed(above_q[0]);
          step_y     = $signed(above_q[1]);
        end
        3'd4: begin
          step_there = right_there_q;
          step_x     = $signed(above_right_q[0]);
          step_y     = $signed(above_right_q[1]);
        end
        default: ;
      endcase
    end else if (step_q < STEP_BEST) begin
      step_square = 1'b1;
      step_radius = place_t'(RADIUS);
      for (int unsigned k = 0; k < CENTRES; k++) begin
        if (32'(centre_number) == k) begin
          // in the cycle in which the scan ends the centre is taken from it
          step_wait  = !centre_ready_q[k] && !(scan_end_q && 32'(centre_q) == k);
          step_there = centre_ready_q[k] ? centre_found_q[k] : least_q != NEVER;
          step_x     = (start_x_q + place_t'({6'd0, centre_ready_q[k] ? centre_column_q[k] : least_column_q})) <<< 2;
          step_y     = (start_y_q + place_t'({6'd0, centre_ready_q[k] ? centre_row_q[k] : least_row_q})) <<< 2;
        end
      end
      if (centre_number >= centres_q) begin
        step_wait  = 1'b0;
        step_there = 1'b0;
      end
    end else begin
      step_there  = step_q == STEP_BEST;
      step_square = 1'b1;
      step_wait   = !parts_taken_q && (pipe_busy || square_valid_q);
      step_radius = place_t'(RADIUS);
      step_x      = best_x_d[0];
      step_y      = best_y_d[0];
    end
    place_there[0] = step_there;
    place_x[0]     = step_x;
    place_y[0]     = step_y;
    for (int unsigned q = 0; q < 4; q++) begin
      place_there[1+q] = parts_q && step_q >= STEP_BEST && step_q <= STEP_PARTS + 5'(q);
      place_x[1+q]     = parts_taken_q ? part_x_q[q] : best_x_d[5+q];
      place_y[1+q]     = parts_taken_q ? part_y_q[q] : best_y_d[5+q];
    end
    for (int unsigned i = 0; i < 5; i++) begin
      place_x[i]     = smaller(larger(place_x[i], low_x_q), high_x_q);
      place_y[i]     = smaller(larger(place_y[i], low_y_q), high_y_q);
      place_fresh[i] = place_there[i];
      for (int unsigned k = 0; k < SQUARES; k++) begin
        if (step_square && k < 32'(squares_q) && known_x_q[k] == place_x[i] && known_y_q[k] == place_y[i]) begin
          place_fresh[i] = 1'b0;
        end
      end
    end
    place = '0;
    for (int unsigned i = 5; i > 0; i--) if (place_fresh[i-1]) place = 3'(i - 1);
    step_x = place_x[place];
    step_y = place_y[place];
    if (place != '0) step_radius = place_t'(RADIUS_PARTS);
  end

  logic issue_coarse, issue_fine, issue_end, last_pass;
  logic [WORD_W-1:0] coarse_words;
  assign coarse_words = WORD_W'(32'(rows_here_q) * SLICES);
  assign last_pass    = 32'(pass_q) == PASSES - 1;
  assign issue_coarse = state_q == S_COARSE;
  assign issue_fine   = state_q == S_FINE && square_valid_q && !hold;
  assign square_ends  = issue_fine && last_pass && at_x_q == square_x1_q && at_y_q == square_y1_q;
  assign square_free  = !square_valid_q || square_ends;
  // the last quadrants may be passed over while a square is being searched
  assign step_go      = (state_q == S_FINE || (state_q == S_COARSE && step_q < STEP_CENTRE)) &&
                        (square_free || (parts_taken_q && place_fresh == '0)) && !step_wait && step_q < 5'(STEPS);
  assign step_begins  = step_go && place_fresh != '0;
  assign parts_here   = step_go && step_q >= STEP_BEST && !place_fresh[0] && !parts_taken_q;
  assign issue_end    = state_q == S_FINE && step_q == 5'(STEPS) && square_free;
  assign cmd_ready_o  = state_q == S_IDLE || issue_end;
  assign accept       = cmd_valid_i && cmd_ready_o;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q        <= S_IDLE;
      side_q         <= 1'b0;
      coarse_at_q    <= '0;
      step_q         <= '0;
      square_valid_q <= 1'b0;
      pass_q         <= '0;
      squares_q      <= '0;
      parts_taken_q  <= 1'b0;
    end else begin
      unique case (state_q)
        S_COARSE: begin
          coarse_at_q <= coarse_at_q + 1'b1;
          if (coarse_at_q + 1'b1 == coarse_words) state_q <= S_FINE;
        end
        S_FINE: if (issue_end) state_q <= S_IDLE;
        default: ;
      endcase
      if (issue_fine) pass_q <= last_pass ? '0 : pass_q + 1'b1;
      if (square_ends) square_valid_q <= 1'b0;
      if (step_go) begin
        step_q <= step_q + 5'd1;
        if (step_q >= STEP_BEST) step_q <= place_fresh == '0 || !parts_q ? 5'(STEPS) : STEP_PARTS + 5'(place);
        if (step_begins) square_valid_q <= 1'b1;
        if (step_begins && step_square) squares_q <= squares_q + 4'd1;
        if (parts_here) parts_taken_q <= 1'b1;
      end
      if (accept) begin
        state_q        <= S_COARSE;
        side_q         <= !side_q;
        coarse_at_q    <= '0;
        step_q         <= '0;
        square_valid_q <= 1'b0;
        pass_q         <= '0;
        squares_q      <= '0;
        parts_taken_q  <= 1'b0;
      end
    end
  end
  always_ff @(posedge clk) begin
    if (issue_fine && last_pass) begin
      at_x_q <= at_x_q == square_x1_q ? square_x0_q : at_x_q + 14'sd1;
      at_y_q <= at_x_q == square_x1_q ? at_y_q + 14'sd1 : at_y_q;
    end
    if (step_begins) begin
      square_x0_q <= larger(step_x - step_radius, low_x_q);
      square_x1_q <= smaller(step_x + step_radius, high_x_q);
      square_y1_q <= smaller(step_y + step_radius, high_y_q);
      at_x_q      <= larger(step_x - step_radius, low_x_q);
      at_y_q      <= larger(step_y - step_radius, low_y_q);
      for (int unsigned k = 0; k < SQUARES; k++) begin
        if (step_square && 32'(squares_q) == k) begin
          known_x_q[k] <= step_x;
          known_y_q[k] <= step_y;
        end
      end
    end
    if (parts_here) begin
      for (int unsigned q = 0; q < 4; q++) begin
        part_x_q[q] <= best_x_d[5+q];
        part_y_q[q] <= best_y_d[5+q];
      end
    end
  end

  // ---- pipeline: window read, operands, halves of rows, costs and comparison -----------------------------------------------
  // Places stand unsigned in it; they are read through $signed.
  typedef struct packed {
    logic              coarse;
    logic              fine;
    logic              finish;    // the macroblock's results are complete
    logic              first;     // first candidate of the macroblock
    logic [PASS_W-1:0] pass;
    logic [WORD_W-1:0] word;      // coarse
    logic              last_word;
    logic [13:0]       x;
    logic [13:0]       y;
    logic              side;
    logic [11:0]       lambda_;
  } token_t;
  token_t token_d, token1_q, token2_q, token3_q;
  /* verilator lint_off UNUSEDSIGNAL */  // not all of a token is needed to its end
  token_t token4_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic   fresh_q;  // no candidate of this macroblock has been issued
  always_ff @(posedge clk) begin
    if (!rst_n) fresh_q <= 1'b0;
    else if (accept) fresh_q <= 1'b1;
    else if (issue_fine && last_pass) fresh_q <= 1'b0;
  end
  always_comb begin
    token_d           = '0;
    token_d.coarse    = issue_coarse;
    token_d.fine      = issue_fine;
    token_d.finish    = issue_end;
    token_d.first     = fresh_q;
    token_d.pass      = pass_q;
    token_d.word      = coarse_at_q;
    token_d.last_word = coarse_at_q + 1'b1 == coarse_words;
    token_d.x         = at_x_q;
    token_d.y         = at_y_q;
    token_d.side      = side_q;
    token_d.lambda_   = lambda_q;
  end
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      token1_q <= '0;
      token2_q <= '0;
      token3_q <= '0;
      token4_q <= '0;
    end else begin
      token1_q <= token_d;
      token2_q <= token1_q;
      token3_q <= token2_q;
      token4_q <= token3_q;
    end
  end
  logic             compare;  // the candidate's last pass is in the third step
  assign pipe_busy    = token1_q.fine || token2_q.fine || (token3_q.fine && !compare);
  assign lanes_busy_o = token2_q.coarse || token2_q.fine;

  logic [R-1:0][15:0][7:0] window_rows;
  logic [13:0]             window_column, window_row;
  assign window_column = at_x_q + place_t'(RANGE_X);
  assign window_row    = at_y_q + place_t'(RANGE_Y) + place_t'(R * 32'(pass_q));
  logic [RING_W:0] window_word;
  always_comb begin
    window_word = (RING_W + 1)'(word_q) + (RING_W + 1)'(window_column >> 4);
    if (32'(window_word) >= RING) window_word = window_word - (RING_W + 1)'(RING);
  end
  search_window #(
      .ROWS       (R),
      .WINDOW_ROWS(WIN_ROWS),
      .RING       (RING)
  ) i_window (
      .clk         (clk),
      .write_i     (window_valid_i),
      .write_row_i (window_row_i),
      .write_word_i(window_word_i),
      .write_data_i(window_data_i),
      .read_i      (issue_fine),
      .read_row_i  (WIN_ROW_W'(window_row)),
      .read_word_i (RING_W'(window_word)),
      .read_shift_i(window_column[3:0]),
      .read_data_o (window_rows)
  );

  // Operands: rows of samples, or at the first level sixteen samples a position
  logic [R-1:0][15:0][7:0] left_d, right_d, left_q, right_q;
  always_comb begin
    logic [QROW_W-1:0] row;
    logic [7:0]        column;
    row    = QROW_W'(32'(token1_q.word) / SLICES);
    column = 8'(32'(token1_q.word) % SLICES * R);
    for (int unsigned i = 0; i < R; i++) begin
      if (token1_q.coarse) begin
        for (int unsigned k = 0; k < 16; k++) begin
          left_d[i][k]  = current_quarter[k/4][k%4];
          right_d[i][k] = quarter_q[token1_q.side][row+QROW_W'(k/4)][32'(column)+i+k%4];
        end
      end else begin
        left_d[i]  = current_q[token1_q.side][4'(R * 32'(token1_q.pass) + i)];
        right_d[i] = window_rows[i];
      end
    end
  end
  always_ff @(posedge clk) begin
    left_q  <= left_d;
    right_q <= right_d;
  end

  logic [R-1:0][1:0][10:0] halves_d, halves_q;
  always_comb begin
    for (int unsigned i = 0; i < R; i++) begin
      for (int unsigned h = 0; h < 2; h++) begin
        halves_d[i][h] = '0;
        for (int unsigned k = 0; k < 8; k++) begin
          halves_d[i][h] = halves_d[i][h] + 11'(difference(left_q[i][8*h+k], right_q[i][8*h+k]));
        end
      end
    end
  end
  logic [6:0]        bits2_q;       // of a candidate's vector difference
  place_t            predicted_late_x_q, predicted_late_y_q;
  logic [R-1:0][6:0] level_bits_q;  // first level
  always_ff @(posedge clk) begin
    predicted_late_x_q <= predicted_x_q;  // the next command may have come
    predicted_late_y_q <= predicted_y_q;
    bits2_q <= 7'(vector_bits($signed(token1_q.x), predicted_late_x_q)) +
               7'(vector_bits($signed(token1_q.y), predicted_late_y_q));
    halves_q <= halves_d;
    for (int unsigned i = 0; i < R; i++) begin
      level_bits_q[i] <= 7'(vector_bits((start_y_q + place_t'(32'(token2_q.word) / SLICES)) <<< 2, predicted_y_q)) +
                   7'(vector_bits((start_x_q + place_t'(32'(token2_q.word) % SLICES * R + i)) <<< 2, predicted_x_q));
    end
  end

  logic [3:0][15:0]   quadrants, quadrants_q;  // _q: of the passes before
  logic [17:0]        rate_q;
  logic [R-1:0][15:0] coarse_d, coarse_q;
  always_comb begin
    for (int unsigned i = 0; i < R; i++) begin
      coarse_d[i] = 16'(halves_q[i][0]) + 16'(halves_q[i][1]) +
                    16'((19'(token3_q.lambda_) * 19'(level_bits_q[i])) >> 8);
      if (place_t'(32'(token3_q.word) % SLICES * R + i) >= columns_here_q) coarse_d[i] = NEVER;
    end
  end
  always_comb begin
    for (int unsigned q = 0; q < 4; q++) begin
      quadrants[q] = token3_q.pass == '0 ? '0 : quadrants_q[q];
      for (int unsigned i = 0; i < R; i++) begin
        if ((R * 32'(token3_q.pass) + i) / 8 == q / 2) quadrants[q] = quadrants[q] + 16'(halves_q[i][q%2]);
      end
    end
  end
  always_ff @(posedge clk) begin
    quadrants_q <= quadrants;
    rate_q      <= 18'((19'(token2_q.lambda_) * 19'(bits2_q)) >> 4);
    coarse_q    <= coarse_d;
  end

  // Costs of all partitions of a candidate; strict: the first one stays on a tie
  logic [8:0][17:0] costs;
  always_comb begin
    costs[1] = 18'(quadrants[0]) + 18'(quadrants[1]);
    costs[2] = 18'(quadrants[2]) + 18'(quadrants[3]);
    costs[3] = 18'(quadrants[0]) + 18'(quadrants[2]);
    costs[4] = 18'(quadrants[1]) + 18'(quadrants[3]);
    costs[0] = costs[1] + costs[2];
    for (int unsigned q = 0; q < 4; q++) costs[5+q] = 18'(quadrants[q]);
    for (int unsigned p = 0; p < 9; p++) costs[p] = costs[p] + rate_q;
  end
  logic [8:0][17:0] best_d;
  assign compare = token3_q.fine && 32'(token3_q.pass) == PASSES - 1;
  always_comb begin
    for (int unsigned p = 0; p < 9; p++) begin
      best_d[p]   = best_q[p];
      best_x_d[p] = best_x_q[p];
      best_y_d[p] = best_y_q[p];
      if (compare && (token3_q.first || costs[p] < best_q[p])) begin
        best_d[p]   = costs[p];
        best_x_d[p] = $signed(token3_q.x);
        best_y_d[p] = $signed(token3_q.y);
      end
    end
  end
  always_ff @(posedge clk) begin
    best_q <= best_d;
    for (int unsigned p = 0; p < 9; p++) begin
      best_x_q[p] <= best_x_d[p];
      best_y_q[p] <= best_y_d[p];
    end
  end

  // ---- centres: the cheapest position of the first level, then again without it and its neighbours -------------------------
  logic [R-1:0][15:0] coarse_words_q [WORDS];
  logic [WORD_W-1:0]  scan_q;
  logic               scanning_q;    // a further pass over the stored costs
  logic [R-1:0][15:0] scan_costs;
  logic [WORD_W-1:0]  scan_word;
  logic               scan_now;
  assign scan_now  = token4_q.coarse || scanning_q;
  assign scan_word = token4_q.coarse ? token4_q.word : scan_q;

  logic [15:0] word_least;
  logic [7:0]  word_column, scan_row;
  always_comb begin
    scan_row   = 8'(32'(scan_word) / SLICES);
    scan_costs = token4_q.coarse ? coarse_q : coarse_words_q[scan_word[$clog2(WORDS)-1:0]];
    word_least  = NEVER;
    word_column = 8'(32'(scan_word) % SLICES * R);
    for (int unsigned i = R; i > 0; i--) begin
      logic [7:0] column;
      column = 8'(32'(scan_word) % SLICES * R + i - 1);
      for (int unsigned k = 0; k < CENTRES; k++) begin
        if (scanning_q && k < 32'(centre_q) && centre_found_q[k] && centre_row_q[k] + 8'd1 >= scan_row &&
            centre_row_q[k] <= scan_row + 8'd1 && centre_column_q[k] + 8'd1 >= column &&
            centre_column_q[k] <= column + 8'd1) begin
          scan_costs[i-1] = NEVER;
        end
      end
      if (scan_costs[i-1] <= word_least) begin
        word_least  = scan_costs[i-1];
        word_column = column;
      end
    end
  end
  always_ff @(posedge clk) if (token4_q.coarse) coarse_words_q[token4_q.word[$clog2(WORDS)-1:0]] <= coarse_q;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      centre_ready_q <= '0;
      centre_found_q <= '0;
      centre_q       <= '0;
      scanning_q     <= 1'b0;
      scan_end_q     <= 1'b0;
      scan_q         <= '0;
      least_q        <= NEVER;
    end else begin
      scan_end_q <= (token4_q.coarse && token4_q.last_word) || (scanning_q && scan_q + 1'b1 == coarse_words);
      if (scan_now && (word_least < least_q)) begin
        least_q        <= word_least;
        least_row_q    <= scan_row;
        least_column_q <= word_column;
      end
      if (scanning_q) begin
        scan_q <= scan_q + 1'b1;
        if (scan_q + 1'b1 == coarse_words) scanning_q <= 1'b0;
      end
      if (scan_end_q) begin
        for (int unsigned k = 0; k < CENTRES; k++) begin
          if (32'(centre_q) == k) begin
            centre_ready_q[k] <= 1'b1;
            centre_found_q[k] <= least_q != NEVER;
          end
        end
        centre_q   <= centre_q + 4'd1;
        least_q    <= NEVER;
        scan_q     <= '0;
        scanning_q <= centre_q + 4'd1 < centres_q;
      end
      if (accept) begin
        centre_ready_q <= '0;
        centre_found_q <= '0;
        centre_q       <= '0;
        scanning_q     <= 1'b0;
        scan_end_q     <= 1'b0;
        least_q        <= NEVER;
      end
    end
  end
  always_ff @(posedge clk) begin
    if (scan_end_q) begin
      for (int unsigned k = 0; k < CENTRES; k++) begin
        if (32'(centre_q) == k) begin
          centre_row_q[k]    <= least_row_q;
          centre_column_q[k] <= least_column_q;
        end
      end
    end
  end

  // ---- result ------------------------------------------------------------------------------------------------------------
  // The next macroblock's candidates wait while a result is not taken.
  assign hold = out_valid_o && !out_ready_i;
  always_ff @(posedge clk) begin
    if (!rst_n) out_valid_o <= 1'b0;
    else if (token4_q.finish) out_valid_o <= 1'b1;
    else if (out_ready_i) out_valid_o <= 1'b0;
  end
  always_ff @(posedge clk) begin
    if (token4_q.finish) begin
      for (int unsigned p = 0; p < 9; p++) begin
        out_mv_x_o[p] <= 11'(best_x_q[p]);
        out_mv_y_o[p] <= 11'(best_y_q[p]);
        out_cost_o[p] <= best_q[p];
      end
    end
  end

  // ---- handshakes --------------------------------------------------------------------------------------------------------
  property p_result_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_mv_x_o) &&
                                        $stable(out_mv_y_o) && $stable(out_cost_o);
  endproperty
  assert property (p_result_stable) else $error("motion_search: result changed while it waited");
  property p_centres;
    @(posedge clk) disable iff (!rst_n || $time == 0) cmd_valid_i |-> cmd_centres_i >= 4'd1 && 32'(cmd_centres_i) <= CENTRES;
  endproperty
  assert property (p_centres) else $error("motion_search: %0d centres of %0d", cmd_centres_i, CENTRES);
  property p_window_kept;  // words of the running command are not overwritten
    @(posedge clk) disable iff (!rst_n || $time == 0) window_valid_i && state_q != S_IDLE |->
        (32'(window_word_i) + RING - 32'(word_q)) % RING >= WINDOW_WORDS;
  endproperty
  assert property (p_window_kept) else $error("motion_search: window word %0d is in use", window_word_i);
  property p_inside_window;
    @(posedge clk) disable iff (!rst_n || $time == 0) issue_fine |-> window_column <= 14'(2 * RANGE_X) &&
                                                       window_row <= 14'(2 * RANGE_Y + 16 - R);
  endproperty
  assert property (p_inside_window) else $error("motion_search: candidate outside the window");
  handshake_check #(.PAYLOAD_W($bits({cmd_word_i, cmd_mb_x_i, cmd_mb_y_i, cmd_mb_width_i, cmd_mb_height_i, cmd_above_left_i,
      cmd_above_i, cmd_above_right_i, cmd_colocated_i, cmd_temporal_i, cmd_lambda_i, cmd_centres_i, cmd_parts_i}))) i_cmd_check (
      .clk, .rst_n, .valid_i(cmd_valid_i), .ready_i(cmd_ready_o), .payload_i({cmd_word_i, cmd_mb_x_i, cmd_mb_y_i, cmd_mb_width_i, cmd_mb_height_i, cmd_above_left_i,
      cmd_above_i, cmd_above_right_i, cmd_colocated_i, cmd_temporal_i, cmd_lambda_i, cmd_centres_i, cmd_parts_i})
  );

endmodule

`default_nettype wire
