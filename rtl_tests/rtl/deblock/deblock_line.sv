// Filter of one line of samples across an edge (H.264 8.7.2.2 to 8.7.2.4). Combinational.

`default_nettype none

module deblock_line (
    input  wire logic            luma_i,
    input  wire logic [2:0]      strength_i,  // 0 to 4
    input  wire logic [7:0]      alpha_i,
    input  wire logic [4:0]      beta_i,
    input  wire logic [4:0]      tc0_i,       // of this strength
    input  wire logic [3:0][7:0] p_i,         // p0 is next to the edge
    input  wire logic [3:0][7:0] q_i,
    output      logic [3:0][7:0] p_o,
    output      logic [3:0][7:0] q_o
);

  /* verilator lint_off UNUSEDSIGNAL */  // the functions of one side take all its samples
  function automatic logic [7:0] distance(input logic [7:0] a, input logic [7:0] b);
    return a > b ? a - b : b - a;
  endfunction

  function automatic logic signed [10:0] bounded(input logic signed [10:0] value, input logic signed [10:0] limit);
    return value > limit ? limit : value < -limit ? -limit : value;
  endfunction

  function automatic logic [7:0] clipped(input logic signed [10:0] value);
    return value < 0 ? 8'd0 : value > 11'sd255 ? 8'd255 : 8'(value);
  endfunction

  // One side of the strong luma filter: new samples next to the edge, second and third.
  function automatic logic [2:0][7:0] deep(input logic [3:0][7:0] a, input logic [3:0][7:0] b);
    logic [10:0] core;
    core    = 11'(a[1]) + 11'(a[0]) + 11'(b[0]);
    deep[0] = 8'((11'(a[2]) + (core << 1) + 11'(b[1]) + 11'd4) >> 3);
    deep[1] = 8'((11'(a[2]) + core + 11'd2) >> 2);
    deep[2] = 8'(({2'd0, a[3], 1'b0} + 11'd3 * 11'(a[2]) + core + 11'd4) >> 3);
  endfunction

  function automatic logic [7:0] mild(input logic [3:0][7:0] a, input logic [3:0][7:0] b);
    return 8'(({2'd0, a[1], 1'b0} + 11'(a[0]) + 11'(b[1]) + 11'd2) >> 2);
  endfunction

  /* verilator lint_on UNUSEDSIGNAL */

  logic filtered, smooth_p, smooth_q, narrow;
  logic signed [10:0] tc, delta, middle, p0, p1, p2, q0, q1, q2;
  logic signed [12:0] slope;
  always_comb begin
    p0 = $signed({3'd0, p_i[0]});
    p1 = $signed({3'd0, p_i[1]});
    p2 = $signed({3'd0, p_i[2]});
    q0 = $signed({3'd0, q_i[0]});
    q1 = $signed({3'd0, q_i[1]});
    q2 = $signed({3'd0, q_i[2]});
    filtered = strength_i != 0 && distance(p_i[0], q_i[0]) < alpha_i && distance(p_i[1], p_i[0]) < 8'(beta_i) &&
               distance(q_i[1], q_i[0]) < 8'(beta_i);
    smooth_p = distance(p_i[2], p_i[0]) < 8'(beta_i);
    smooth_q = distance(q_i[2], q_i[0]) < 8'(beta_i);
    narrow    = distance(p_i[0], q_i[0]) < (alpha_i >> 2) + 8'd2;
    tc       = $signed({6'd0, tc0_i}) + (luma_i ? $signed({10'd0, smooth_p}) + $signed({10'd0, smooth_q}) : 11'sd1);
    slope    = ((13'(q0) - 13'(p0)) <<< 2) + 13'(p1) - 13'(q1) + 13'sd4;
    delta    = bounded(11'(slope >>> 3), tc);
    middle   = (p0 + q0 + 11'sd1) >>> 1;
    p_o = p_i;
    q_o = q_i;
    if (filtered && strength_i < 3'd4) begin
      p_o[0] = clipped(p0 + delta);
      q_o[0] = clipped(q0 - delta);
      if (luma_i && smooth_p) p_o[1] = 8'(p1 + bounded((p2 + middle - (p1 <<< 1)) >>> 1, $signed({6'd0, tc0_i})));
      if (luma_i && smooth_q) q_o[1] = 8'(q1 + bounded((q2 + middle - (q1 <<< 1)) >>> 1, $signed({6'd0, tc0_i})));
    end else if (filtered) begin
      if (luma_i && narrow && smooth_p) {p_o[2], p_o[1], p_o[0]} = deep(p_i, q_i);
      else p_o[0] = mild(p_i, q_i);
      if (luma_i && narrow && smooth_q) {q_o[2], q_o[1], q_o[0]} = deep(q_i, p_i);
      else q_o[0] = mild(q_i, p_i);
    end
  end

endmodule

`default_nettype wire
