// Valid in, nothing else: no back-pressure, no valid out. HEVC 8x8 forward transform, 8 bits:
// two rows a beat on lanes 0..7 and 16..23, all coefficients of a block on one port 3 cycles after its last beat.
module butterfly8 (
    input              clk,
    input              in_en,
    input  [1:0]       in_beat,
    input  [32*9-1:0]  in_bus,
    output [64*16-1:0] out_bus
);
  function signed [31:0] coef(input integer k, input integer n);
    integer j;
    reg [3:0] q;
    reg neg;
    begin
      j = (k * (2 * n + 1)) % 32;
      neg = (j > 8 && j <= 24);
      j = j <= 8 ? j : j <= 16 ? 16 - j : j <= 24 ? j - 16 : 32 - j;
      case (j)
        0: coef = 64; 1: coef = 89; 2: coef = 83; 3: coef = 75; 4: coef = 64; 5: coef = 50; 6: coef = 36; 7: coef = 18;
        default: coef = 0;
      endcase
      if (neg) coef = -coef;
    end
  endfunction

  reg signed [8:0] px [0:63];
  reg signed [15:0] mid [0:63], res [0:63];
  reg full_q, mid_q;
  integer i, k, n;
  reg signed [31:0] acc;
  always @(posedge clk) begin
    if (in_en)
      for (i = 0; i < 8; i = i + 1) begin
        px[16*in_beat + i]     <= in_bus[9*i +: 9];
        px[16*in_beat + 8 + i] <= in_bus[9*(16+i) +: 9];
      end
    full_q <= in_en && in_beat == 2'd3;
    mid_q  <= full_q;
    if (full_q)
      for (i = 0; i < 8; i = i + 1)
        for (k = 0; k < 8; k = k + 1) begin
          acc = 2;
          for (n = 0; n < 8; n = n + 1) acc = acc + coef(k, n) * px[8*i + n];
          mid[8*i + k] <= acc >>> 2;
        end
    if (mid_q)
      for (i = 0; i < 8; i = i + 1)
        for (k = 0; k < 8; k = k + 1) begin
          acc = 256;
          for (n = 0; n < 8; n = n + 1) acc = acc + coef(k, n) * mid[8*n + i];
          res[8*k + i] <= acc >>> 9;
        end
  end
  genvar g;
  generate
    for (g = 0; g < 64; g = g + 1) begin : pack
      assign out_bus[16*g +: 16] = res[g];
    end
  endgenerate
endmodule
