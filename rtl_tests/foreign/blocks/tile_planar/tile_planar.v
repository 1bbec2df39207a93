// HEVC intra prediction, a square of 4x4 a request: planar, DC and the pure horizontal and vertical modes of 4x4 to 16x16.
// Neighbours stand still on a port each, above and above right apart, already filtered; requests may come every cycle.
module tile_planar (
    input clk, input rst_n,
    input start_i, input [5:0] mode_i, input [1:0] size_i, input [1:0] x_i, input [1:0] y_i,
    input [7:0] t00, t01, t02, t03, t04, t05, t06, t07, t08, t09, t10, t11, t12, t13, t14, t15,
    input [7:0] r00,
    input [7:0] l00, l01, l02, l03, l04, l05, l06, l07, l08, l09, l10, l11, l12, l13, l14, l15,
    input [7:0] d00,
    input [7:0] tl,
    output reg done_o,
    output reg [7:0] p00, p01, p02, p03, p10, p11, p12, p13, p20, p21, p22, p23, p30, p31, p32, p33
);
  wire [127:0] t = {t15, t14, t13, t12, t11, t10, t09, t08, t07, t06, t05, t04, t03, t02, t01, t00};
  wire [127:0] l = {l15, l14, l13, l12, l11, l10, l09, l08, l07, l06, l05, l04, l03, l02, l01, l00};
  wire [5:0] n = 6'd4 << size_i;
  reg [127:0] b;
  reg [15:0] v;
  reg [12:0] sum;
  reg [9:0] dc;
  reg signed [10:0] e;
  integer k, x, y;
  always @* begin
    sum = {7'd0, n};
    for (k = 0; k < 16; k = k + 1) if (k < n) sum = sum + t[8*k +: 8] + l[8*k +: 8];
    dc = sum >> (size_i + 3);
    for (k = 0; k < 16; k = k + 1) begin
      x = 4 * x_i + k % 4; y = 4 * y_i + k / 4;
      case (mode_i)
        0: v = ((n - 1 - x) * l[8*y +: 8] + (x + 1) * r00 + (n - 1 - y) * t[8*x +: 8] + (y + 1) * d00 + n) >> (size_i + 3);
        1: v = x == 0 && y == 0 ? (t00 + l00 + 2 * dc + 2) >> 2 : x == 0 ? (l[8*y +: 8] + 3 * dc + 2) >> 2
             : y == 0 ? (t[8*x +: 8] + 3 * dc + 2) >> 2 : dc;
        default: begin
          // vertical 26, horizontal 10: the edge follows the other side by half of its slope
          e = mode_i == 26 ? $signed({3'd0, l[8*y +: 8]}) - $signed({3'd0, tl}) : $signed({3'd0, t[8*x +: 8]}) - $signed({3'd0, tl});
          e = (e >>> 1) + $signed({3'd0, mode_i == 26 ? t00 : l00});
          if (mode_i == 26 ? x == 0 : y == 0) v = e < 0 ? 0 : e > 255 ? 255 : e;
          else v = mode_i == 26 ? t[8*x +: 8] : l[8*y +: 8];
        end
      endcase
      b[8*k +: 8] = v[7:0];
    end
  end
  always @(posedge clk or negedge rst_n)
    if (!rst_n) begin
      done_o <= 0;
      {p33, p32, p31, p30, p23, p22, p21, p20, p13, p12, p11, p10, p03, p02, p01, p00} <= 0;
    end else begin
      done_o <= start_i;
      {p33, p32, p31, p30, p23, p22, p21, p20, p13, p12, p11, p10, p03, p02, p01, p00} <= b;
    end
endmodule
