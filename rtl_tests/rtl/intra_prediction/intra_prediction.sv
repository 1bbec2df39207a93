// Intra prediction engine: all wanted modes of a block from one gathering of its neighbours, a 4x4 block of samples a
// cycle (H.264 8.3). Model twin: asic_model/engines/intra_prediction.py. Bench: rtl_tests/intra_prediction/.
//
// A request gives the neighbours of one 4x4, 8x8, 16x16 or 8x8 chroma block and a mask of modes; those that its
// neighbours do not allow are left out. Predictions leave mode after mode, each as 4x4 blocks in raster order. The first
// one leaves LATENCY cycles after the request was taken; requests follow each other without a gap.

`default_nettype none

module intra_prediction
  import intra_prediction_pkg::*;
#(
    parameter int unsigned LATENCY = 4  // fixed by the structure; named here for benches and timing
) (
    input  wire logic             clk,
    input  wire logic             rst_n,

    input  wire logic             in_valid_i,
    output      logic             in_ready_o,
    input  wire logic [1:0]       in_kind_i,       // 0 Intra4x4, 1 Intra8x8, 2 Intra16x16, 3 chroma
    input  wire logic [8:0]       in_modes_i,      // wanted, bit m: mode m of the kind's own numbering
    input  wire logic [4:0]       in_available_i,  // left upper half, top, top right, corner, left lower half
    input  wire logic [15:0][7:0] in_left_i,       // p[-1, y]
    input  wire logic [15:0][7:0] in_top_i,        // p[x, -1]; 4x4 and 8x8: with those above right
    input  wire logic [7:0]       in_corner_i,     // p[-1, -1]

    output      logic             out_valid_o,
    input  wire logic             out_ready_i,
    output      logic [3:0]       out_mode_o,
    output      logic [3:0]       out_block_o,     // 4x4 block in raster order
    output      logic             out_last_o,      // last of the request
    output      logic [15:0][7:0] out_samples_o    // raster order
);

  if (LATENCY != 4) begin : g_parameter_check
    $fatal(1, "intra_prediction: LATENCY is %0d, the structure has 4", LATENCY);
  end

  localparam logic [1:0] KIND_4X4    = 2'd0;
  localparam logic [1:0] KIND_8X8    = 2'd1;
  localparam logic [1:0] KIND_16X16  = 2'd2;
  localparam logic [1:0] KIND_CHROMA = 2'd3;
  localparam int unsigned LEFT_UPPER = 0, TOP = 1, TOP_RIGHT = 2, CORNER = 3, LEFT_LOWER = 4;  // bits of `available`

  typedef logic [7:0] sample_t;
  typedef logic [31:0][7:0] line_t;

  typedef struct packed {
    logic [1:0]       kind;
    logic [8:0]       modes;
    logic [4:0]       available;
    logic [15:0][7:0] left;
    logic [15:0][7:0] top;
  } request_t;

  function automatic sample_t pair_of(input sample_t a, input sample_t b);
    return 8'((9'(a) + 9'(b) + 9'd1) >> 1);
  endfunction

  function automatic sample_t triple_of(input sample_t a, input sample_t b, input sample_t c);
    return 8'((10'(a) + {1'b0, b, 1'b0} + 10'(c) + 10'd2) >> 2);
  endfunction

  // A sample of the line filtered by (1, 1) or (1, 2, 1).
  function automatic line_t pairs_of(input line_t line);
    for (int unsigned i = 0; i < 31; i++) pairs_of[i] = pair_of(line[i], line[i+1]);
    pairs_of[31] = line[31];
  endfunction

  function automatic line_t triples_of(input line_t line);
    triples_of = line;
    for (int unsigned i = 1; i < 31; i++) triples_of[i] = triple_of(line[i-1], line[i], line[i+1]);
  endfunction

  // ---- stages: request, line and sums, parameters; each moves when the next one is free ----------------------------------
  logic a_valid_q, b_valid_q, c_valid_q;
  logic a_moves, b_moves, c_moves, out_free, last_now;
  assign out_free   = out_ready_i || !out_valid_o;
  assign c_moves    = !c_valid_q || (out_free && last_now);
  assign b_moves    = !b_valid_q || c_moves;
  assign a_moves    = !a_valid_q || b_moves;
  assign in_ready_o = a_moves;

  // A: the request
  request_t a_q;
  sample_t  a_corner_q;
  always_ff @(posedge clk) begin
    if (a_moves && in_valid_i) begin
      a_q <= '{kind: in_kind_i, modes: in_modes_i & ALLOWED[{in_kind_i, in_available_i}], available: in_available_i,
               left: in_left_i, top: in_top_i};
      a_corner_q <= in_corner_i;
    end
  end

  // B: the line of neighbours, from the lowest left sample over the corner along the row above; sums
  line_t raw_4x4, raw_8x8, line_8x8, smooth_8x8;
  logic [3:0][9:0]    top_sums, left_sums;   // of four samples each
  logic signed [15:0] across, down;          // gradients of the plane modes
  always_comb begin
    raw_4x4 = '0;
    for (int unsigned y = 0; y < 4; y++) raw_4x4[4-y] = a_q.left[y];
    raw_4x4[0] = a_q.left[3];
    raw_4x4[5] = a_corner_q;
    for (int unsigned x = 0; x < 4; x++) begin
      raw_4x4[6+x]  = a_q.top[x];
      raw_4x4[10+x] = a_q.available[TOP_RIGHT] ? a_q.top[4+x] : a_q.top[3];
    end
    raw_4x4[14] = raw_4x4[13];

    // 8.3.2.2.1: neighbours that are missing are stood in for, then all are filtered
    raw_8x8 = '0;
    for (int unsigned y = 0; y < 8; y++) raw_8x8[8-y] = a_q.left[y];
    raw_8x8[0] = a_q.left[7];
    for (int unsigned x = 0; x < 8; x++) begin
      raw_8x8[10+x] = a_q.top[x];
      raw_8x8[18+x] = a_q.available[TOP_RIGHT] ? a_q.top[8+x] : a_q.top[7];
    end
    raw_8x8[26] = raw_8x8[25];
    raw_8x8[9]  = a_corner_q;
    if (a_q.available[CORNER]) begin
      if (!a_q.available[TOP]) raw_8x8[10] = a_corner_q;
      if (!a_q.available[LEFT_UPPER]) raw_8x8[8] = a_corner_q;
    end else if (a_q.available[TOP]) begin
      raw_8x8[9] = a_q.top[0];
    end
    smooth_8x8 = triples_of(raw_8x8);
    line_8x8   = smooth_8x8;
    if (!a_q.available[CORNER] && a_q.available[LEFT_UPPER]) line_8x8[8] = triple_of(raw_8x8[8], raw_8x8[8], raw_8x8[7]);
    line_8x8[0]  = line_8x8[1];
    line_8x8[26] = line_8x8[25];

    for (int unsigned i = 0; i < 4; i++) begin
      top_sums[i]  = '0;
      left_sums[i] = '0;
      for (int unsigned j = 0; j < 4; j++) begin
        top_sums[i]  = top_sums[i] + 10'(a_q.kind == KIND_8X8 && i < 2 ? line_8x8[10+4*i+j] : a_q.top[4*i+j]);
        left_sums[i] = left_sums[i] + 10'(a_q.kind == KIND_8X8 && i < 2 ? line_8x8[8-4*i-j] : a_q.left[4*i+j]);
      end
    end

    across = '0;
    down   = '0;
    if (a_q.kind == KIND_16X16) begin
      for (int unsigned k = 1; k < 8; k++) begin
        across = across + 16'(k) * (16'(a_q.top[7+k]) - 16'(a_q.top[7-k]));
        down   = down + 16'(k) * (16'(a_q.left[7+k]) - 16'(a_q.left[7-k]));
      end
      across = across + 16'd8 * (16'(a_q.top[15]) - 16'(a_corner_q));
      down   = down + 16'd8 * (16'(a_q.left[15]) - 16'(a_corner_q));
    end else begin
      for (int unsigned k = 1; k < 4; k++) begin
        across = across + 16'(k) * (16'(a_q.top[3+k]) - 16'(a_q.top[3-k]));
        down   = down + 16'(k) * (16'(a_q.left[3+k]) - 16'(a_q.left[3-k]));
      end
      across = across + 16'd4 * (16'(a_q.top[7]) - 16'(a_corner_q));
      down   = down + 16'd4 * (16'(a_q.left[7]) - 16'(a_corner_q));
    end
  end

  request_t           b_q;
  line_t              b_line_q;
  logic [3:0][9:0]    b_top_sums_q, b_left_sums_q;
  logic signed [15:0] b_across_q, b_down_q;
  always_ff @(posedge clk) begin
    if (b_moves && a_valid_q) begin
      b_q           <= a_q;
      b_line_q      <= a_q.kind == KIND_8X8 ? line_8x8 : raw_4x4;
      b_top_sums_q  <= top_sums;
      b_left_sums_q <= left_sums;
      b_across_q    <= across;
      b_down_q      <= down;
    end
  end

  // C: DC values by 4x4 block of chroma (elsewhere one for all), parameters of the plane
  function automatic sample_t mean_4(input logic [9:0] top, input logic has_top, input logic [9:0] left,
                                     input logic has_left, input logic prefer_top, input logic prefer_left);
    if (has_top && has_left && !prefer_top && !prefer_left) return 8'((11'(top) + 11'(left) + 11'd4) >> 3);
    if (has_top && !(prefer_left && has_left)) return 8'((top + 10'd2) >> 2);
    if (has_left) return 8'((left + 10'd2) >> 2);
    return 8'd128;
  endfunction

  logic [3:0][7:0]    dc;
  logic signed [15:0] slope_x, slope_y, start;
  always_comb begin
    logic [13:0] total, top_total, left_total;
    logic        has_top, has_left;
    logic signed [22:0] wide_x, wide_y;
    has_top    = b_q.available[TOP];
    has_left   = b_q.available[LEFT_UPPER] && (b_q.kind != KIND_16X16 || b_q.available[LEFT_LOWER]);
    top_total  = '0;
    left_total = '0;
    for (int unsigned i = 0; i < 4; i++) begin
      if (b_q.kind == KIND_16X16 || (b_q.kind == KIND_8X8 && i < 2) || i == 0) begin
        top_total  = top_total + 14'(b_top_sums_q[i]);
        left_total = left_total + 14'(b_left_sums_q[i]);
      end
    end
    total = (has_top ? top_total : '0) + (has_left ? left_total : '0);
    dc    = {4{8'd128}};
    if (has_top || has_left) begin
      // the sum of n samples, 2n if both sides are there
      unique case (b_q.kind)
        KIND_4X4: dc = {4{has_top && has_left ? 8'((total + 14'd4) >> 3) : 8'((total + 14'd2) >> 2)}};
        KIND_8X8: dc = {4{has_top && has_left ? 8'((total + 14'd8) >> 4) : 8'((total + 14'd4) >> 3)}};
        default: dc = {4{has_top && has_left ? 8'((total + 14'd16) >> 5) : 8'((total + 14'd8) >> 4)}};
      endcase
    end
    if (b_q.kind == KIND_CHROMA) begin
      dc[0] = mean_4(b_top_sums_q[0], has_top, b_left_sums_q[0], b_q.available[LEFT_UPPER], 1'b0, 1'b0);
      dc[1] = mean_4(b_top_sums_q[1], has_top, b_left_sums_q[0], b_q.available[LEFT_UPPER], 1'b1, 1'b0);
      dc[2] = mean_4(b_top_sums_q[0], has_top, b_left_sums_q[1], b_q.available[LEFT_LOWER], 1'b0, 1'b1);
      dc[3] = mean_4(b_top_sums_q[1], has_top, b_left_sums_q[1], b_q.available[LEFT_LOWER], 1'b0, 1'b0);
    end
    if (b_q.kind == KIND_16X16) begin
      wide_x  = 23'sd5 * 23'(b_across_q);
      wide_y  = 23'sd5 * 23'(b_down_q);
    end else begin
      wide_x  = 23'sd34 * 23'(b_across_q);
      wide_y  = 23'sd34 * 23'(b_down_q);
    end
    slope_x = 16'((wide_x + 23'sd32) >>> 6);
    slope_y = 16'((wide_y + 23'sd32) >>> 6);
    if (b_q.kind == KIND_16X16) begin
      start = 16'({b_q.left[15], 4'd0}) + 16'({b_q.top[15], 4'd0}) - 16'sd7 * (slope_x + slope_y) + 16'sd16;
    end else begin
      start = 16'({b_q.left[7], 4'd0}) + 16'({b_q.top[7], 4'd0}) - 16'sd3 * (slope_x + slope_y) + 16'sd16;
    end
  end

  typedef struct packed {
    logic [1:0]       kind;
    logic [15:0][7:0] left;
    logic [15:0][7:0] top;
  } edges_t;
  edges_t             c_q;
  logic [8:0]         c_modes_q;   // still to be put out
  logic [3:0]         c_block_q;
  line_t              c_line_q;
  logic [3:0][7:0]    c_dc_q;
  logic signed [15:0] c_slope_x_q, c_slope_y_q, c_start_q;
  always_ff @(posedge clk) begin
    if (c_moves && b_valid_q) begin
      c_q         <= '{kind: b_q.kind, left: b_q.left, top: b_q.top};
      c_line_q    <= b_line_q;
      c_dc_q      <= dc;
      c_slope_x_q <= slope_x;
      c_slope_y_q <= slope_y;
      c_start_q   <= start;
    end
  end

  // ---- predictions -------------------------------------------------------------------------------------------------------
  logic [3:0] mode_now, blocks_less_one;
  logic       last_block;
  always_comb begin
    mode_now = '0;
    for (int unsigned i = 9; i > 0; i--) if (c_modes_q[i-1]) mode_now = 4'(i - 1);
    blocks_less_one = c_q.kind == KIND_4X4 ? 4'd0 : c_q.kind == KIND_16X16 ? 4'd15 : 4'd3;
  end
  assign last_block = c_block_q == blocks_less_one;
  assign last_now   = last_block && (c_modes_q & (c_modes_q - 9'd1)) == 0;

  logic [1:0] block_x, block_y;
  assign block_x = c_q.kind == KIND_16X16 ? c_block_q[1:0] : {1'b0, c_block_q[0]};
  assign block_y = c_q.kind == KIND_16X16 ? c_block_q[3:2] : {1'b0, c_block_q[1]};

  // The four modes of large blocks in the order of Intra16x16: vertical, horizontal, DC, plane
  logic [1:0] large_mode;
  always_comb begin
    large_mode = 2'(mode_now);
    if (c_q.kind == KIND_CHROMA) large_mode = mode_now == 4'd0 ? 2'd2 : mode_now == 4'd1 ? 2'd1
                                            : mode_now == 4'd2 ? 2'd0 : 2'd3;
  end

  logic [15:0][7:0] samples;
  line_t            line_pairs, line_triples;
  always_comb begin
    line_pairs   = pairs_of(c_line_q);
    line_triples = triples_of(c_line_q);
    for (int unsigned i = 0; i < 16; i++) begin
      logic [3:0]         x, y;
      logic [6:0]         direction;
      logic signed [15:0] plane;
      x = {block_x, 2'(i % 4)};
      y = {block_y, 2'(i / 4)};
      direction = c_q.kind == KIND_4X4 ? DIRECTIONS_4X4[{mode_now, 4'(i)}] : DIRECTIONS_8X8[{mode_now, y[2:0], x[2:0]}];
      plane = (c_start_q + c_slope_x_q * $signed({12'd0, x}) + c_slope_y_q * $signed({12'd0, y})) >>> 5;
      if (c_q.kind == KIND_4X4 || c_q.kind == KIND_8X8) begin
        samples[i] = direction[6] ? line_triples[direction[4:0]]
                   : direction[5] ? line_pairs[direction[4:0]] : c_line_q[direction[4:0]];
        if (mode_now == 4'd2) samples[i] = c_dc_q[0];
      end else begin
        unique case (large_mode)
          2'd0: samples[i] = c_q.top[x];
          2'd1: samples[i] = c_q.left[y];
          2'd2: samples[i] = c_dc_q[c_block_q[1:0]];
          default: samples[i] = plane < 0 ? 8'd0 : plane > 16'sd255 ? 8'd255 : 8'(plane);
        endcase
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      a_valid_q   <= 1'b0;
      b_valid_q   <= 1'b0;
      c_valid_q   <= 1'b0;
      c_modes_q   <= '0;
      c_block_q   <= '0;
      out_valid_o <= 1'b0;
    end else begin
      if (a_moves) a_valid_q <= in_valid_i;
      if (b_moves) b_valid_q <= a_valid_q;
      if (c_moves) begin
        c_valid_q <= b_valid_q;
        c_modes_q <= b_q.modes;
        c_block_q <= '0;
      end else if (out_free) begin
        c_block_q <= last_block ? 4'd0 : c_block_q + 4'd1;
        if (last_block) c_modes_q <= c_modes_q & (c_modes_q - 9'd1);
      end
      if (out_free) out_valid_o <= c_valid_q;
    end
  end
  always_ff @(posedge clk) begin
    if (out_free && c_valid_q) begin
      out_mode_o    <= mode_now;
      out_block_o   <= c_block_q;
      out_last_o    <= last_now;
      out_samples_o <= samples;
    end
  end

  // ---- handshakes --------------------------------------------------------------------------------------------------------
  property p_output_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_samples_o) &&
                                        $stable(out_mode_o) && $stable(out_block_o);
  endproperty
  assert property (p_output_stable) else $error("intra_prediction: output changed while it waited");
  property p_some_mode;
    @(posedge clk) disable iff (!rst_n || $time == 0) in_valid_i |-> (in_modes_i & ALLOWED[{in_kind_i, in_available_i}]) != 0;
  endproperty
  assert property (p_some_mode) else $error("intra_prediction: no wanted mode is allowed");
  handshake_check #(.PAYLOAD_W($bits({in_kind_i, in_modes_i, in_available_i, in_left_i, in_top_i, in_corner_i}))) i_in_check (
      .clk, .rst_n, .valid_i(in_valid_i), .ready_i(in_ready_o), .payload_i({in_kind_i, in_modes_i, in_available_i, in_left_i, in_top_i, in_corner_i})
  );

endmodule

`default_nettype wire
