// One line of a chroma edge a cycle, parameters beside the samples, two register stages; falling clock edge.
module edge_pipe (
    input             ck,
    input             arst_n,
    input             i_vld,
    input      [63:0] i_px,     // p3 first, in the top byte
    input      [2:0]  i_bs,
    input      [7:0]  i_alpha,
    input      [7:0]  i_beta,
    input      [4:0]  i_tc0,
    output reg        o_vld,
    output reg [63:0] o_px
);
  wire signed [9:0] p1 = {2'b0, i_px[47:40]}, p0 = {2'b0, i_px[39:32]}, q0 = {2'b0, i_px[31:24]}, q1 = {2'b0, i_px[23:16]};
  wire [9:0] d0 = p0 > q0 ? p0 - q0 : q0 - p0, dp = p1 > p0 ? p1 - p0 : p0 - p1, dq = q1 > q0 ? q1 - q0 : q0 - q1;
  wire act = i_bs != 0 && d0 < i_alpha && dp < i_beta && dq < i_beta;

  reg v1, act1, steep;
  reg [63:0] px1;
  reg signed [5:0] tc1;
  always @(negedge ck or negedge arst_n)
    if (!arst_n) begin
      v1 <= 0; o_vld <= 0;
    end else begin
      v1 <= i_vld; o_vld <= v1;
    end
  wire signed [11:0] a1 = {4'b0, px1[47:40]}, a0 = {4'b0, px1[39:32]}, b0 = {4'b0, px1[31:24]}, b1 = {4'b0, px1[23:16]};
  wire signed [11:0] raw = (((b0 - a0) <<< 2) + (a1 - b1) + 4) >>> 3;
  wire signed [11:0] delta = raw > tc1 ? {{6{tc1[5]}}, tc1} : raw < -tc1 ? -tc1 : raw;
  wire signed [11:0] up = a0 + delta, down = b0 - delta;
  wire [7:0] weak_p = up < 0 ? 0 : up > 255 ? 255 : up[7:0], weak_q = down < 0 ? 0 : down > 255 ? 255 : down[7:0];
  wire [11:0] sp = 2 * a1 + a0 + b1 + 2, sq = 2 * b1 + b0 + a1 + 2;
  always @(negedge ck) begin
    px1 <= i_px; act1 <= act; steep <= i_bs == 4; tc1 <= i_tc0 + 6'd1;
    o_px <= px1;
    if (act1) begin
      o_px[39:32] <= steep ? sp[9:2] : weak_p;
      o_px[31:24] <= steep ? sq[9:2] : weak_q;
    end
  end
endmodule
