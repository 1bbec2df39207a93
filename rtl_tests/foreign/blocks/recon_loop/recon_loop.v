// An encoder's loop over one 4x4 block: original and prediction a row a beat, levels in zig-zag order on one port, the
// reconstructed samples a row a beat; quantisation with a third of a step as dead zone, all in registers of one step each.
module recon_loop (
    input clk, input reset_n,
    input in_valid, input [31:0] org_row, input [31:0] pred_row, input [5:0] qp,
    output reg lev_valid, output [255:0] levels,
    output reg rec_valid, output [31:0] rec_row
);
  reg [127:0] org, pre, pre_q;
  reg [1:0] row;
  reg [5:0] qp_q, qp_l;
  reg go, q_go, r_go;
  reg signed [15:0] w[0:15], z[0:15];
  reg signed [15:0] a[0:15], c[0:15];
  reg [127:0] rec;
  reg [1:0] out_row;
  reg [2:0] left;
  integer i, j, k;
  reg signed [17:0] s0, s1, s2, s3;

  function [13:0] mf(input [2:0] m, input [1:0] place);
    case ({m, place})
      {3'd0, 2'd0}: mf = 13107; {3'd0, 2'd1}: mf = 5243; {3'd0, 2'd2}: mf = 8066;
      {3'd1, 2'd0}: mf = 11916; {3'd1, 2'd1}: mf = 4660; {3'd1, 2'd2}: mf = 7490;
      {3'd2, 2'd0}: mf = 10082; {3'd2, 2'd1}: mf = 4194; {3'd2, 2'd2}: mf = 6554;
      {3'd3, 2'd0}: mf = 9362;  {3'd3, 2'd1}: mf = 3647; {3'd3, 2'd2}: mf = 5825;
      {3'd4, 2'd0}: mf = 8192;  {3'd4, 2'd1}: mf = 3355; {3'd4, 2'd2}: mf = 5243;
      {3'd5, 2'd0}: mf = 7282;  {3'd5, 2'd1}: mf = 2893; {3'd5, 2'd2}: mf = 4559;
      default: mf = 0;
    endcase
  endfunction
  function [4:0] vf(input [2:0] m, input [1:0] place);
    case ({m, place})
      {3'd0, 2'd0}: vf = 10; {3'd0, 2'd1}: vf = 16; {3'd0, 2'd2}: vf = 13;
      {3'd1, 2'd0}: vf = 11; {3'd1, 2'd1}: vf = 18; {3'd1, 2'd2}: vf = 14;
      {3'd2, 2'd0}: vf = 13; {3'd2, 2'd1}: vf = 20; {3'd2, 2'd2}: vf = 16;
      {3'd3, 2'd0}: vf = 14; {3'd3, 2'd1}: vf = 23; {3'd3, 2'd2}: vf = 18;
      {3'd4, 2'd0}: vf = 16; {3'd4, 2'd1}: vf = 25; {3'd4, 2'd2}: vf = 20;
      {3'd5, 2'd0}: vf = 18; {3'd5, 2'd1}: vf = 29; {3'd5, 2'd2}: vf = 23;
      default: vf = 0;
    endcase
  endfunction
  function [1:0] place(input [3:0] n);         // 0: both even, 1: both odd, 2: the rest
    place = n[0] ? (n[2] ? 2'd1 : 2'd2) : (n[2] ? 2'd2 : 2'd0);
  endfunction

  // forward transform of the block that is complete
  always @* begin
    for (i = 0; i < 4; i = i + 1) begin
      s0 = org[32*i +: 8] - pre[32*i +: 8];           s1 = org[32*i+8 +: 8] - pre[32*i+8 +: 8];
      s2 = org[32*i+16 +: 8] - pre[32*i+16 +: 8];     s3 = org[32*i+24 +: 8] - pre[32*i+24 +: 8];
      a[4*i] = s0 + s1 + s2 + s3; a[4*i+1] = 2*s0 + s1 - s2 - 2*s3; a[4*i+2] = s0 - s1 - s2 + s3; a[4*i+3] = s0 - 2*s1 + 2*s2 - s3;
    end
    for (i = 0; i < 4; i = i + 1) begin
      s0 = a[i]; s1 = a[4+i]; s2 = a[8+i]; s3 = a[12+i];
      c[i] = s0 + s1 + s2 + s3; c[4+i] = 2*s0 + s1 - s2 - 2*s3; c[8+i] = s0 - s1 - s2 + s3; c[12+i] = s0 - 2*s1 + 2*s2 - s3;
    end
  end
  // quantisation
  wire [2:0] m = qp_q % 6, ml = qp_l % 6;
  wire [3:0] d = qp_q / 6, dl = qp_l / 6;
  reg [31:0] p;
  reg [15:0] size;
  reg signed [15:0] q[0:15];
  always @*
    for (j = 0; j < 16; j = j + 1) begin
      size = w[j] < 0 ? -w[j] : w[j];
      p = size * mf(m, place(j));
      p = (p + (32'd1 << (15 + d)) / 3) >> (15 + d);
      q[j] = w[j] < 0 ? -p[15:0] : p[15:0];
    end
  assign levels = {z[15], z[14], z[11], z[7], z[10], z[13], z[12], z[9], z[6], z[3], z[2], z[5], z[8], z[4], z[1], z[0]};
  // and back
  reg signed [31:0] b[0:15], x0, x1, x2, x3;
  always @* begin
    for (k = 0; k < 16; k = k + 1) b[k] = (z[k] * $signed({1'b0, vf(ml, place(k))})) <<< dl;
    for (k = 0; k < 4; k = k + 1) begin
      x0 = b[4*k] + b[4*k+2]; x1 = b[4*k] - b[4*k+2]; x2 = (b[4*k+1] >>> 1) - b[4*k+3]; x3 = b[4*k+1] + (b[4*k+3] >>> 1);
      b[4*k] = x0 + x3; b[4*k+1] = x1 + x2; b[4*k+2] = x1 - x2; b[4*k+3] = x0 - x3;
    end
    for (k = 0; k < 4; k = k + 1) begin
      x0 = b[k] + b[8+k]; x1 = b[k] - b[8+k]; x2 = (b[4+k] >>> 1) - b[12+k]; x3 = b[4+k] + (b[12+k] >>> 1);
      b[k] = x0 + x3; b[4+k] = x1 + x2; b[8+k] = x1 - x2; b[12+k] = x0 - x3;
    end
    for (k = 0; k < 16; k = k + 1) begin
      x0 = ((b[k] + 32) >>> 6) + $signed({24'd0, pre_q[8*k +: 8]});
      rec[8*k +: 8] = x0 < 0 ? 8'd0 : x0 > 255 ? 8'd255 : x0[7:0];
    end
  end
  reg [127:0] rec_q;
  assign rec_row = rec_q[31:0];
  integer n;
  always @(posedge clk)
    if (!reset_n) begin
      row <= 0; go <= 0; q_go <= 0; r_go <= 0; lev_valid <= 0; rec_valid <= 0; left <= 0; org <= 0; pre <= 0; pre_q <= 0;
      qp_q <= 0; qp_l <= 0; rec_q <= 0;
      for (n = 0; n < 16; n = n + 1) begin w[n] <= 0; z[n] <= 0; end
    end else begin
      go <= in_valid && row == 3;
      if (in_valid) begin
        org <= {org_row, org[127:32]}; pre <= {pred_row, pre[127:32]}; row <= row + 1'b1;
        if (row == 3) qp_q <= qp;
      end
      q_go <= go;
      if (go) begin for (n = 0; n < 16; n = n + 1) w[n] <= c[n]; pre_q <= pre; end
      lev_valid <= q_go;
      if (q_go) begin for (n = 0; n < 16; n = n + 1) z[n] <= q[n]; qp_l <= qp_q; end
      rec_valid <= 0;
      if (lev_valid) begin rec_q <= rec; left <= 4; rec_valid <= 1; end
      else if (left > 1) begin rec_q <= rec_q >> 32; left <= left - 1'b1; rec_valid <= 1; end
    end
endmodule
