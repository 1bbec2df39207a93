// Transform engine: one 4x4 block a cycle through forward transform, quantisation, scaling, inverse transform and
// reconstruction (H.264 8.5). Model twin: asic_model/engines/transform/. Bench: rtl_tests/transform/.
//
//   OP_BLOCK      residual -> levels -> reconstructed samples (Intra4x4 and inter luma)
//   OP_AC         residual -> levels without DC, plus the DC coefficient (Intra16x16 and chroma, first pass)
//   OP_LUMA_DC    16 DC coefficients in raster order of blocks -> levels, scaled DC values in raster order
//   OP_CHROMA_DC  4 DC coefficients (entries 0..3)             -> levels, scaled DC values
//   OP_INVERSE    levels and a scaled DC value -> reconstructed samples (second pass)
//
// Fixed latency of LATENCY cycles; when the output is not taken the whole pipeline holds.
//
// Widths: a 9-bit residual grows by 36 in the 4x4 transform (15 bits) and its 16 DC values by 16 more (19 bits).
// Levels need 16 bits. Scaled coefficients are kept in 16 bits and wrap there, as in the model.

`default_nettype none

module transform
  import transform_pkg::*;
#(
    parameter int unsigned LATENCY   = 9,     // fixed by the structure; named here for benches and timing
    parameter int unsigned LEVEL_MAX = 32767  // larger levels become this; 2063 for CAVLC below High profile
) (
    input  wire logic                    clk,
    input  wire logic                    rst_n,

    input  wire logic                    in_valid_i,
    output      logic                    in_ready_o,
    input  wire logic [2:0]              in_op_i,
    input  wire logic [5:0]              in_qp_i,        // QP'Y or QP'C, 0..51
    input  wire logic                    in_inter_i,     // picks the dead zone
    input  wire logic [15:0][15:0]       in_data_i,      // residual, DC coefficients or levels, signed; raster order,
                                                         // levels in zig-zag order
    input  wire logic signed [15:0]      in_dc_i,        // OP_INVERSE: scaled DC value
    input  wire logic [15:0][7:0]        in_pred_i,      // prediction, raster order

    output      logic                    out_valid_o,
    input  wire logic                    out_ready_i,
    output      logic [2:0]              out_op_o,
    output      logic [15:0][15:0]       out_levels_o,   // zig-zag order; OP_CHROMA_DC: entries 0..3
    output      logic [4:0]              out_count_o,    // levels that are not zero
    output      logic signed [15:0]      out_dc_o,       // OP_AC: DC coefficient
    output      logic [15:0][15:0]       out_scaled_o,   // DC operations: scaled DC values
    output      logic [15:0][7:0]        out_recon_o     // reconstructed samples, raster order
);

  typedef enum logic [2:0] {
    OP_BLOCK     = 3'd0,
    OP_AC        = 3'd1,
    OP_LUMA_DC   = 3'd2,
    OP_CHROMA_DC = 3'd3,
    OP_INVERSE   = 3'd4
  } op_e;

  localparam int unsigned COEF_W = 20;   // widest coefficient: unhalved luma DC
  localparam int unsigned PROD_W = 35;   // |coefficient| * factor + rounding

  if (LATENCY != 9) begin : g_parameter_check
    $fatal(1, "transform: LATENCY is %0d, the structure has 9", LATENCY);
  end
  if (LEVEL_MAX < 1 || LEVEL_MAX > 32767) begin : g_level_max_check
    $fatal(1, "transform: LEVEL_MAX is %0d, 1 to 32767 are allowed", LEVEL_MAX);
  end

  typedef logic signed [COEF_W-1:0] coef_t;
  typedef coef_t [15:0] coefs_t;

  typedef struct packed {
    logic [2:0]        op;
    logic [3:0]        octave;     // QP / 6
    logic [2:0]        remainder;  // QP % 6
    logic              inter;
    logic signed [15:0] dc;
    logic [15:0][7:0]  pred;
  } control_t;

  // Position class of normAdjust4x4: 0 both even, 1 both odd, 2 mixed.
  function automatic logic [1:0] position_class(input int unsigned raster);
    return (raster % 2 == 0 && (raster / 4) % 2 == 0) ? 2'd0 : (raster % 2 == 1 && (raster / 4) % 2 == 1) ? 2'd1 : 2'd2;
  endfunction

  // One line of the forward transform (8.5.12 inverted): or of the Hadamard transform.
  function automatic coef_t [3:0] forward_line(input coef_t [3:0] line, input logic hadamard);
    coef_t sum03, sum12, dif03, dif12;
    sum03 = line[0] + line[3];
    sum12 = line[1] + line[2];
    dif03 = line[0] - line[3];
    dif12 = line[1] - line[2];
    forward_line[0] = sum03 + sum12;
    forward_line[2] = sum03 - sum12;
    forward_line[1] = hadamard ? dif03 + dif12 : (dif03 <<< 1) + dif12;
    forward_line[3] = hadamard ? dif03 - dif12 : dif03 - (dif12 <<< 1);
  endfunction

  // One line of the inverse transform (8-338 to 8-345).
  function automatic coef_t [3:0] inverse_line(input coef_t [3:0] line);
    coef_t e0, e1, e2, e3;
    e0 = line[0] + line[2];
    e1 = line[0] - line[2];
    e2 = (line[1] >>> 1) - line[3];
    e3 = line[1] + (line[3] >>> 1);
    inverse_line[0] = e0 + e3;
    inverse_line[1] = e1 + e2;
    inverse_line[2] = e1 - e2;
    inverse_line[3] = e0 - e3;
  endfunction

  logic advance;
  assign advance    = out_ready_i || !out_valid_o;
  assign in_ready_o = advance;

  logic [LATENCY-1:0] valid_q;
  control_t           control_q [LATENCY];
  control_t           control_d;

  always_comb begin
    control_d.op        = in_op_i;
    control_d.octave    = 4'(in_qp_i / 6);
    control_d.remainder = 3'(in_qp_i % 6);
    control_d.inter     = in_inter_i;
    control_d.dc        = in_dc_i;
    control_d.pred      = in_pred_i;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid_q <= '0;
    end else if (advance) begin
      valid_q <= {valid_q[LATENCY-2:0], in_valid_i};
    end
  end

  always_ff @(posedge clk) begin
    if (advance) begin
      control_q[0] <= control_d;
      for (int stage = 1; stage < LATENCY; stage++) control_q[stage] <= control_q[stage-1];
    end
  end

  // ---- 0: rows ----------------------------------------------------------------------------------------------
  coefs_t rows_q;
  coefs_t rows_d;
  always_comb begin
    rows_d = '0;
    if (in_op_i == OP_CHROMA_DC) begin
      rows_d[0] = coef_t'($signed(in_data_i[0])) + coef_t'($signed(in_data_i[1]));
      rows_d[1] = coef_t'($signed(in_data_i[0])) - coef_t'($signed(in_data_i[1]));
      rows_d[2] = coef_t'($signed(in_data_i[2])) + coef_t'($signed(in_data_i[3]));
      rows_d[3] = coef_t'($signed(in_data_i[2])) - coef_t'($signed(in_data_i[3]));
    end else if (in_op_i == OP_INVERSE) begin
      for (int i = 0; i < 16; i++) rows_d[i] = coef_t'($signed(in_data_i[i]));  // levels pass through
    end else begin
      for (int y = 0; y < 4; y++) begin
        {rows_d[4*y+3], rows_d[4*y+2], rows_d[4*y+1], rows_d[4*y]} = forward_line(
            {coef_t'($signed(in_data_i[4*y+3])), coef_t'($signed(in_data_i[4*y+2])),
             coef_t'($signed(in_data_i[4*y+1])), coef_t'($signed(in_data_i[4*y]))}, in_op_i == OP_LUMA_DC);
      end
    end
  end
  always_ff @(posedge clk) if (advance) rows_q <= rows_d;

  // ---- 1: columns, and from raster into scan order ------------------------------------------------------------
  coefs_t columns_q;
  coefs_t columns_d;
  coefs_t columns_raster;
  always_comb begin
    columns_raster = '0;
    columns_d      = rows_q;
    if (control_q[0].op == OP_CHROMA_DC) begin
      columns_d    = '0;
      columns_d[0] = rows_q[0] + rows_q[2];
      columns_d[1] = rows_q[1] + rows_q[3];
      columns_d[2] = rows_q[0] - rows_q[2];
      columns_d[3] = rows_q[1] - rows_q[3];
    end else if (control_q[0].op != OP_INVERSE) begin
      for (int x = 0; x < 4; x++) begin
        {columns_raster[12+x], columns_raster[8+x], columns_raster[4+x], columns_raster[x]} = forward_line(
            {rows_q[12+x], rows_q[8+x], rows_q[4+x], rows_q[x]}, control_q[0].op == OP_LUMA_DC);
      end
      for (int i = 0; i < 16; i++) columns_d[i] = columns_raster[ZIGZAG[0][i]];
    end
  end
  always_ff @(posedge clk) if (advance) columns_q <= columns_d;

  // ---- 2: multiply and round ----------------------------------------------------------------------------------
  logic [15:0][PROD_W-1:0] product_q;
  logic [15:0]             negative_q;
  coefs_t                  coefs2_q;
  logic [15:0][PROD_W-1:0] product_d;
  logic [15:0]             negative_d;
  always_comb begin
    for (int i = 0; i < 16; i++) begin
      logic [COEF_W-1:0] magnitude;
      logic [13:0]       factor;
      logic [23:0]       rounding;
      negative_d[i] = columns_q[i][COEF_W-1];
      magnitude     = negative_d[i] ? COEF_W'(-columns_q[i]) : COEF_W'(columns_q[i]);
      factor   = FACTOR[control_q[1].remainder]
                       [control_q[1].op == OP_LUMA_DC || control_q[1].op == OP_CHROMA_DC ? 2'd0
                                                                                         : position_class(32'(ZIGZAG[0][i]))];
      rounding = 24'(ROUNDING[control_q[1].inter][control_q[1].octave]);
      if (control_q[1].op == OP_LUMA_DC) rounding = 24'(ROUNDING[0][control_q[1].octave]) << 2;
      if (control_q[1].op == OP_CHROMA_DC) rounding = rounding << 1;
      product_d[i] = PROD_W'(magnitude) * PROD_W'(factor) + PROD_W'(rounding);
    end
  end
  always_ff @(posedge clk) begin
    if (advance) begin
      product_q  <= product_d;
      negative_q <= negative_d;
      coefs2_q   <= columns_q;
    end
  end

  // ---- 3: shift and sign: levels ------------------------------------------------------------------------------
  logic [15:0][15:0]  levels3_q;
  logic [15:0][15:0]  levels3_d;
  logic signed [15:0] dc3_q;
  always_comb begin
    for (int i = 0; i < 16; i++) begin
      logic [4:0]  shift;
      logic [19:0] whole;
      logic [15:0] level;
      shift = 5'd15 + 5'(control_q[2].octave);
      if (control_q[2].op == OP_LUMA_DC) shift = shift + 5'd2;
      if (control_q[2].op == OP_CHROMA_DC) shift = shift + 5'd1;
      whole        = 20'(product_q[i] >> shift);
      level        = whole > 20'(LEVEL_MAX) ? 16'(LEVEL_MAX) : 16'(whole);
      levels3_d[i] = negative_q[i] ? -level : level;
      if (control_q[2].op == OP_INVERSE) levels3_d[i] = 16'(coefs2_q[i]);
      if (control_q[2].op == OP_CHROMA_DC && i >= 4) levels3_d[i] = '0;
    end
    if (control_q[2].op == OP_AC) levels3_d[0] = '0;
  end
  always_ff @(posedge clk) begin
    if (advance) begin
      levels3_q <= levels3_d;
      dc3_q     <= 16'(coefs2_q[0]);
    end
  end

  // ---- 4: scaling multiply, or rows of the inverse DC transform -----------------------------------------------
  logic signed [15:0][31:0] wide4_q;
  logic signed [15:0][31:0] wide4_d;
  coefs_t                   level_raster;
  always_comb begin
    level_raster = '0;
    wide4_d      = '0;
    for (int i = 0; i < 16; i++) level_raster[ZIGZAG[0][i]] = coef_t'($signed(levels3_q[i]));
    unique case (control_q[3].op)
      OP_LUMA_DC: begin
        for (int y = 0; y < 4; y++) begin
          coef_t [3:0] line;
          line = forward_line({level_raster[4*y+3], level_raster[4*y+2], level_raster[4*y+1], level_raster[4*y]}, 1'b1);
          for (int x = 0; x < 4; x++) wide4_d[4*y+x] = 32'(signed'(line[x]));
        end
      end
      OP_CHROMA_DC: begin
        wide4_d[0] = 32'($signed(levels3_q[0])) + 32'($signed(levels3_q[1]));
        wide4_d[1] = 32'($signed(levels3_q[0])) - 32'($signed(levels3_q[1]));
        wide4_d[2] = 32'($signed(levels3_q[2])) + 32'($signed(levels3_q[3]));
        wide4_d[3] = 32'($signed(levels3_q[2])) - 32'($signed(levels3_q[3]));
      end
      default: begin  // LevelScale = 16 * normAdjust: (level * 16 * normAdjust << octave + 8) >> 4
        for (int i = 0; i < 16; i++) begin
          wide4_d[i] = 32'(signed'(level_raster[i])) *
                       $signed({27'd0, NORM_ADJUST[control_q[3].remainder][position_class(32'(i))]});
        end
      end
    endcase
  end
  always_ff @(posedge clk) if (advance) wide4_q <= wide4_d;

  // ---- 5: scaling shift, or columns of the inverse DC transform -------------------------------------------------
  logic signed [15:0][31:0] wide5_q;
  logic signed [15:0][31:0] wide5_d;
  always_comb begin
    wide5_d = '0;
    unique case (control_q[4].op)
      OP_LUMA_DC: begin
        for (int x = 0; x < 4; x++) begin
          coef_t [3:0] line;
          line = forward_line({coef_t'($signed(wide4_q[12+x])), coef_t'($signed(wide4_q[8+x])),
                               coef_t'($signed(wide4_q[4+x])), coef_t'($signed(wide4_q[x]))}, 1'b1);
          for (int y = 0; y < 4; y++) wide5_d[4*y+x] = 32'(signed'(line[y]));
        end
      end
      OP_CHROMA_DC: begin
        wide5_d[0] = wide4_q[0] + wide4_q[2];
        wide5_d[1] = wide4_q[1] + wide4_q[3];
        wide5_d[2] = wide4_q[0] - wide4_q[2];
        wide5_d[3] = wide4_q[1] - wide4_q[3];
      end
      default: begin
        for (int i = 0; i < 16; i++) wide5_d[i] = 32'(signed'(16'($signed(wide4_q[i]) <<< control_q[4].octave)));
        if (control_q[4].op == OP_INVERSE) wide5_d[0] = 32'(control_q[4].dc);
      end
    endcase
  end
  always_ff @(posedge clk) if (advance) wide5_q <= wide5_d;

  // ---- 6: rows of the inverse transform, or scaling of DC values ------------------------------------------------
  logic signed [15:0][31:0] wide6_q;
  logic signed [15:0][31:0] wide6_d;
  always_comb begin
    logic signed [31:0] scale;
    wide6_d = '0;
    scale   = $signed({23'd0, NORM_ADJUST[control_q[5].remainder][0], 4'd0}) <<< control_q[5].octave;
    unique case (control_q[5].op)
      OP_LUMA_DC: for (int i = 0; i < 16; i++) wide6_d[i] = ($signed(wide5_q[i]) * scale + 32) >>> 6;
      OP_CHROMA_DC: for (int i = 0; i < 4; i++) wide6_d[i] = ($signed(wide5_q[i]) * scale) >>> 5;
      default: begin
        for (int y = 0; y < 4; y++) begin
          coef_t [3:0] line;
          line = inverse_line({coef_t'($signed(wide5_q[4*y+3])), coef_t'($signed(wide5_q[4*y+2])),
                               coef_t'($signed(wide5_q[4*y+1])), coef_t'($signed(wide5_q[4*y]))});
          for (int x = 0; x < 4; x++) wide6_d[4*y+x] = 32'(signed'(line[x]));
        end
      end
    endcase
  end
  always_ff @(posedge clk) if (advance) wide6_q <= wide6_d;

  // ---- 7: columns of the inverse transform ------------------------------------------------------------------------
  logic signed [15:0][31:0] wide7_q;
  logic signed [15:0][31:0] wide7_d;
  coef_t [3:0] column7;
  always_comb begin
    wide7_d = wide6_q;
    column7 = '0;
    if (control_q[6].op != OP_LUMA_DC && control_q[6].op != OP_CHROMA_DC) begin
      for (int x = 0; x < 4; x++) begin
        column7 = inverse_line({coef_t'($signed(wide6_q[12+x])), coef_t'($signed(wide6_q[8+x])),
                             coef_t'($signed(wide6_q[4+x])), coef_t'($signed(wide6_q[x]))});
        for (int y = 0; y < 4; y++) wide7_d[4*y+x] = 32'(signed'(column7[y]));
      end
    end
  end
  always_ff @(posedge clk) if (advance) wide7_q <= wide7_d;

  // ---- 8: rounding, prediction, clip ---------------------------------------------------------------------------
  logic [15:0][15:0]  levels_pipe_q [4:8];
  logic signed [15:0] dc_pipe_q     [4:8];
  logic [15:0][7:0]   recon_d;
  always_comb begin
    for (int i = 0; i < 16; i++) begin
      logic signed [31:0] sample;
      sample = ((32'($signed(wide7_q[i])) + 32) >>> 6) + $signed({24'd0, control_q[7].pred[i]});
      recon_d[i] = sample < 0 ? 8'd0 : sample > 255 ? 8'd255 : 8'(sample);
    end
  end

  always_ff @(posedge clk) begin
    if (advance) begin
      levels_pipe_q[4] <= levels3_q;
      dc_pipe_q[4]     <= dc3_q;
      for (int stage = 5; stage <= 8; stage++) begin
        levels_pipe_q[stage] <= levels_pipe_q[stage-1];
        dc_pipe_q[stage]     <= dc_pipe_q[stage-1];
      end
      out_recon_o <= recon_d;
      for (int i = 0; i < 16; i++) out_scaled_o[i] <= 16'(wide7_q[i]);
    end
  end

  always_comb begin
    out_count_o = '0;
    for (int i = 0; i < 16; i++) out_count_o = out_count_o + 5'(out_levels_o[i] != 0);
  end

  assign out_valid_o  = valid_q[LATENCY-1];
  assign out_op_o     = control_q[LATENCY-1].op;
  assign out_levels_o = levels_pipe_q[8];
  assign out_dc_o     = dc_pipe_q[8];

  // ---- handshakes ---------------------------------------------------------------------------------------------
  // An offer stands, unchanged, until it is taken.
  property p_output_stable;
    @(posedge clk) disable iff (!rst_n) out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_levels_o) &&
                                        $stable(out_recon_o) && $stable(out_op_o) && $stable(out_count_o) &&
                                        $stable(out_dc_o) && $stable(out_scaled_o);
  endproperty
  assert property (p_output_stable) else $error("transform: output changed while it waited");

  property p_known_op;
    @(posedge clk) disable iff (!rst_n) in_valid_i |-> in_op_i <= OP_INVERSE;
  endproperty
  assert property (p_known_op) else $error("transform: unknown operation %0d", in_op_i);
  handshake_check #(.PAYLOAD_W($bits({in_op_i, in_qp_i, in_inter_i, in_data_i, in_dc_i, in_pred_i}))) i_in_check (
      .clk, .rst_n, .valid_i(in_valid_i), .ready_i(in_ready_o), .payload_i({in_op_i, in_qp_i, in_inter_i, in_data_i, in_dc_i, in_pred_i})
  );

endmodule

`default_nettype wire
