// Purely combinational: vertical, horizontal and DC prediction of a 4x4 block; ascending packed arrays, no clock.
module comb_intra4 (
    input  wire [0:3][7:0] top_px,
    input  wire [0:3][7:0] left_px,
    input  wire            top_ok,
    input  wire            left_ok,
    input  wire [3:0]      pred_mode,
    output reg  [0:15][7:0] pred_px
);
  reg [10:0] t, l;
  reg [7:0] dc;
  integer i;
  always @* begin
    t = 0; l = 0;
    for (i = 0; i < 4; i = i + 1) begin t = t + top_px[i]; l = l + left_px[i]; end
    dc = top_ok && left_ok ? 8'((t + l + 11'd4) >> 3) : top_ok ? 8'((t + 11'd2) >> 2) : left_ok ? 8'((l + 11'd2) >> 2) : 8'd128;
    for (i = 0; i < 16; i = i + 1)
      pred_px[i] = pred_mode == 0 ? top_px[i % 4] : pred_mode == 1 ? left_px[i / 4] : dc;
  end
endmodule
