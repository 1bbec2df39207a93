// Transform engine, 8x8 blocks: forward transform, quantisation, scaling, inverse transform and reconstruction, sixteen
// samples a cycle (H.264 8.5.13). Model twin: asic_model/engines/transform/. Bench: rtl_tests/transform_8x8/.
//
// A block comes and leaves in four beats of two columns. Columns are transformed as they arrive and meet in a buffer
// that is read by rows; rows are transformed, quantised, scaled and transformed back on their way to a second buffer,
// which is read by columns again. With in_inverse_i the beats are levels, at their raster places, and the forward half
// is passed by. Levels leave beside the samples, sixteen in scan order a beat.
//
// Fixed latency of LATENCY cycles from beat to beat of a block that comes without bubbles; when the output is not taken
// the whole pipeline holds.

`default_nettype none

module transform_8x8
  import transform_pkg::*;
#(
    parameter int unsigned LATENCY = 14  // fixed by the structure; named here for benches and timing
) (
    input  wire logic              clk,
    input  wire logic              rst_n,

    input  wire logic              in_valid_i,
    output      logic              in_ready_o,
    input  wire logic              in_inverse_i,  // first beat: levels instead of a residual
    input  wire logic [5:0]        in_qp_i,       // first beat
    input  wire logic              in_inter_i,    // first beat: picks the dead zone
    input  wire logic [15:0][15:0] in_data_i,     // residual or levels, signed: two columns of eight
    input  wire logic [15:0][7:0]  in_pred_i,     // prediction, the same places

    output      logic              out_valid_o,
    input  wire logic              out_ready_i,
    output      logic              out_last_o,    // fourth beat
    output      logic [15:0][15:0] out_levels_o,  // scan order, a quarter a beat
    output      logic [6:0]        out_count_o,   // levels of the block that are not zero
    output      logic [15:0][7:0]  out_recon_o    // two columns
);

  if (LATENCY != 14) begin : g_parameter_check
    $fatal(1, "transform_8x8: LATENCY is %0d, the structure has 14", LATENCY);
  end

  localparam int unsigned W = 24;  // bits of a value in either transform
  typedef logic signed [W-1:0] value_t;
  typedef value_t [7:0] line_t;

  // One line of the forward transform: the inverse one of 8.5.13 turned round.
  function automatic line_t forward_line(input line_t v);
    value_t s07, s16, s25, s34, d07, d16, d25, d34, a0, a1, a2, a3, b0, b1, b2, b3;
    s07 = v[0] + v[7];
    s16 = v[1] + v[6];
    s25 = v[2] + v[5];
    s34 = v[3] + v[4];
    d07 = v[0] - v[7];
    d16 = v[1] - v[6];
    d25 = v[2] - v[5];
    d34 = v[3] - v[4];
    a0 = s07 + s34;
    a1 = s16 + s25;
    a2 = s07 - s34;
    a3 = s16 - s25;
    b0 = d16 + d25 + d07 + (d07 >>> 1);
    b1 = d07 - d34 - d25 - (d25 >>> 1);
    b2 = d07 + d34 - d16 - (d16 >>> 1);
    b3 = d16 - d25 + d34 + (d34 >>> 1);
    forward_line[0] = a0 + a1;
    forward_line[1] = b0 + (b3 >>> 2);
    forward_line[2] = a2 + (a3 >>> 1);
    forward_line[3] = b1 + (b2 >>> 2);
    forward_line[4] = a0 - a1;
    forward_line[5] = b2 - (b1 >>> 2);
    forward_line[6] = (a2 >>> 1) - a3;
    forward_line[7] = (b0 >>> 2) - b3;
  endfunction

  // One line of the inverse transform (8-354 to 8-385).
  function automatic line_t inverse_line(input line_t v);
    value_t a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7;
    a0 = v[0] + v[4];
    a1 = v[5] - v[3] - v[7] - (v[7] >>> 1);
    a2 = v[0] - v[4];
    a3 = v[1] + v[7] - v[3] - (v[3] >>> 1);
    a4 = (v[2] >>> 1) - v[6];
    a5 = v[7] - v[1] + v[5] + (v[5] >>> 1);
    a6 = v[2] + (v[6] >>> 1);
    a7 = v[3] + v[5] + v[1] + (v[1] >>> 1);
    b0 = a0 + a6;
    b1 = a1 + (a7 >>> 2);
    b2 = a2 + a4;
    b3 = a3 + (a5 >>> 2);
    b4 = a2 - a4;
    b5 = (a3 >>> 2) - a5;
    b6 = a0 - a6;
    b7 = a7 - (a1 >>> 2);
    inverse_line[0] = b0 + b7;
    inverse_line[1] = b2 + b5;
    inverse_line[2] = b4 + b3;
    inverse_line[3] = b6 + b1;
    inverse_line[4] = b6 - b1;
    inverse_line[5] = b4 - b3;
    inverse_line[6] = b2 - b5;
    inverse_line[7] = b0 - b7;
  endfunction

  // Position class of normAdjust8x8 from row and column modulo 4.
  function automatic logic [2:0] position_class(input logic [1:0] row, input logic [1:0] column);
    logic [1:0] a, b;
    a = row[0] ? 2'd1 : row[1] ? 2'd2 : 2'd0;
    b = column[0] ? 2'd1 : column[1] ? 2'd2 : 2'd0;
    if (a == b) return {1'b0, a};
    if (a != 2'd2 && b != 2'd2) return 3'd3;
    return a == 2'd0 || b == 2'd0 ? 3'd4 : 3'd5;
  endfunction

  logic advance;
  assign advance    = out_ready_i || !out_valid_o;
  assign in_ready_o = advance;

  // ---- blocks under way: four at most, by number modulo 4 --------------------------------------------------------------
  typedef struct packed {
    logic       inverse;
    logic       inter;
    logic [3:0] octave;     // QP / 6
    logic [2:0] remainder;  // QP % 6
  } control_t;
  control_t              control_q [4];
  logic [63:0][7:0]      pred_q    [4];  // [column][row]
  logic [63:0][15:0]     levels_q  [4];  // raster
  typedef struct packed {
    logic       valid;
    logic [1:0] block;
    logic [1:0] beat;
  } token_t;

  // Columns in
  logic     [1:0] in_block_q, in_beat_q;
  control_t       control_in;
  line_t    [1:0] columns_in;
  always_comb begin
    control_in = control_q[in_block_q];
    if (in_beat_q == 2'd0) begin
      control_in = '{inverse: in_inverse_i, inter: in_inter_i, octave: 4'(in_qp_i / 6), remainder: 3'(in_qp_i % 6)};
    end
    for (int unsigned c = 0; c < 2; c++) begin
      line_t column;
      for (int unsigned r = 0; r < 8; r++) column[r] = W'($signed(in_data_i[8*c+r]));
      columns_in[c] = control_in.inverse ? column : forward_line(column);
    end
  end
  line_t [7:0] first_q [2];  // [side][column]: columns transformed
  always_ff @(posedge clk) begin
    if (advance && in_valid_i) begin
      for (int unsigned c = 0; c < 2; c++) begin
        first_q[in_block_q[0]][{in_beat_q, 1'(c)}] <= columns_in[c];
        for (int unsigned r = 0; r < 8; r++) pred_q[in_block_q][{in_beat_q, 1'(c), 3'(r)}] <= in_pred_i[8*c+r];
      end
      if (in_beat_q == 2'd0) control_q[in_block_q] <= control_in;
    end
  end

  // A block that is complete passes by rows, then by columns; each pass takes four cycles without a pause.
  token_t row_q, b1_q, b2_q, b3_q, b4_q, column_q, c1_q;
  logic   first_done, second_done;
  assign first_done  = in_valid_i && in_beat_q == 2'd3;
  assign second_done = b4_q.valid && b4_q.beat == 2'd3;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      in_block_q  <= '0;
      in_beat_q   <= '0;
      row_q       <= '0;
      b1_q        <= '0;
      b2_q        <= '0;
      b3_q        <= '0;
      b4_q        <= '0;
      column_q    <= '0;
      c1_q        <= '0;
      out_valid_o <= 1'b0;
    end else if (advance) begin
      if (in_valid_i) begin
        in_beat_q <= in_beat_q + 2'd1;
        if (in_beat_q == 2'd3) in_block_q <= in_block_q + 2'd1;
      end
      if (first_done) row_q <= '{valid: 1'b1, block: in_block_q, beat: 2'd0};
      else if (row_q.beat == 2'd3) row_q.valid <= 1'b0;
      else row_q.beat <= row_q.beat + 2'd1;
      b1_q <= row_q;
      b2_q <= b1_q;
      b3_q <= b2_q;
      b4_q <= b3_q;
      if (second_done) column_q <= '{valid: 1'b1, block: b4_q.block, beat: 2'd0};
      else if (column_q.beat == 2'd3) column_q.valid <= 1'b0;
      else column_q.beat <= column_q.beat + 2'd1;
      c1_q        <= column_q;
      out_valid_o <= c1_q.valid;
    end
  end

  // ---- rows: transform ---------------------------------------------------------------------------------------------------
  line_t [1:0] rows_d, coefs_q;
  always_comb begin
    for (int unsigned i = 0; i < 2; i++) begin
      line_t row;
      for (int unsigned c = 0; c < 8; c++) row[c] = first_q[row_q.block[0]][c][{row_q.beat, 1'(i)}];
      rows_d[i] = control_q[row_q.block].inverse ? row : forward_line(row);
    end
  end
  always_ff @(posedge clk) if (advance) coefs_q <= rows_d;

  // ---- multiply and round, then shift and sign: levels ---------------------------------------------------------------------
  logic [15:0][40:0] product_q;
  line_t [1:0]       coefs2_q;
  always_ff @(posedge clk) begin
    if (advance) begin
      coefs2_q <= coefs_q;
      for (int unsigned i = 0; i < 16; i++) begin
        logic [W-1:0] magnitude;
        magnitude = coefs_q[i/8][i%8][W-1] ? W'(-coefs_q[i/8][i%8]) : W'(coefs_q[i/8][i%8]);
        product_q[i] <= 41'(magnitude) * 41'(FACTOR_8X8[control_q[b1_q.block].remainder]
                                                       [position_class({b1_q.beat[0], 1'(i/8)}, 2'(i%4))]) +
                        {18'd0, ROUNDING[control_q[b1_q.block].inter][control_q[b1_q.block].octave], 1'b0};
      end
    end
  end
  logic [15:0][15:0] level_d, level_q;
  always_comb begin
    for (int unsigned i = 0; i < 16; i++) begin
      logic [15:0] magnitude;
      magnitude  = 16'(product_q[i] >> (5'd16 + 5'(control_q[b2_q.block].octave)));
      level_d[i] = coefs2_q[i/8][i%8][W-1] ? -magnitude : magnitude;
      if (control_q[b2_q.block].inverse) level_d[i] = 16'(coefs2_q[i/8][i%8]);
    end
  end
  always_ff @(posedge clk) begin
    if (advance) begin
      level_q <= level_d;
      if (b2_q.valid) begin
        for (int unsigned i = 0; i < 16; i++) levels_q[b2_q.block][{b2_q.beat, 4'(i)}] <= level_d[i];
      end
    end
  end

  // ---- scaling: (level * (16 * normAdjust << QP / 6) + 32) >> 6, kept in 16 bits ---------------------------------------------
  logic [15:0][15:0] scaled_q;
  always_ff @(posedge clk) begin
    if (advance) begin
      for (int unsigned i = 0; i < 16; i++) begin
        logic [31:0] scale;
        logic [31:0] wide;
        scale = {22'd0, NORM_ADJUST_8X8[control_q[b3_q.block].remainder]
                                       [position_class({b3_q.beat[0], 1'(i/8)}, 2'(i%4))], 4'd0}
                << control_q[b3_q.block].octave;
        wide  = 32'($signed(level_q[i])) * scale + 32'd32;
        scaled_q[i] <= 16'(wide >> 6);
      end
    end
  end

  // ---- rows back, then columns back ------------------------------------------------------------------------------------------
  line_t [7:0] second_q [2];  // [side][row]
  always_ff @(posedge clk) begin
    if (advance && b4_q.valid) begin
      for (int unsigned i = 0; i < 2; i++) begin
        line_t row;
        for (int unsigned c = 0; c < 8; c++) row[c] = W'($signed(scaled_q[8*i+c]));
        second_q[b4_q.block[0]][{b4_q.beat, 1'(i)}] <= inverse_line(row);
      end
    end
  end
  line_t [1:0] columns_q;
  always_ff @(posedge clk) begin
    if (advance) begin
      for (int unsigned i = 0; i < 2; i++) begin
        line_t column;
        for (int unsigned r = 0; r < 8; r++) column[r] = second_q[column_q.block[0]][r][{column_q.beat, 1'(i)}];
        columns_q[i] <= inverse_line(column);
      end
    end
  end

  // ---- rounding, prediction, clip; levels in scan order ----------------------------------------------------------------------
  logic [6:0] count;
  always_comb begin
    count = '0;
    for (int unsigned i = 0; i < 64; i++) count = count + 7'(levels_q[c1_q.block][i] != 0);
  end
  always_ff @(posedge clk) begin
    if (advance) begin
      for (int unsigned i = 0; i < 16; i++) begin
        value_t sample;
        sample = ((columns_q[i/8][i%8] + 24'sd32) >>> 6) + $signed({16'd0, pred_q[c1_q.block][{c1_q.beat, 4'(i)}]});
        out_recon_o[i]  <= sample < 0 ? 8'd0 : sample > 24'sd255 ? 8'd255 : 8'(sample);
        out_levels_o[i] <= levels_q[c1_q.block][ZIGZAG_8X8[0][{c1_q.beat, 4'(i)}]];
      end
      out_last_o  <= c1_q.beat == 2'd3;
      out_count_o <= count;
    end
  end

  // ---- handshakes ------------------------------------------------------------------------------------------------------------
  property p_output_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_levels_o) &&
                                        $stable(out_recon_o) && $stable(out_last_o);
  endproperty
  assert property (p_output_stable) else $error("transform_8x8: output changed while it waited");
  property p_qp;
    @(posedge clk) disable iff (!rst_n || $time == 0) in_valid_i |-> in_qp_i <= 6'd51;
  endproperty
  assert property (p_qp) else $error("transform_8x8: QP %0d", in_qp_i);
  handshake_check #(.PAYLOAD_W($bits({in_inverse_i, in_qp_i, in_inter_i, in_data_i, in_pred_i}))) i_in_check (
      .clk, .rst_n, .valid_i(in_valid_i), .ready_i(in_ready_o), .payload_i({in_inverse_i, in_qp_i, in_inter_i, in_data_i, in_pred_i})
  );

endmodule

`default_nettype wire
