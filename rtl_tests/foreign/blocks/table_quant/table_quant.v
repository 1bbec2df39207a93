// Configured over a register bus, fed into its own memory, started by the falling edge of `trig`, idle level when done,
// results read back from its memory. H.264 quantisation of 4x4 coefficients, one a cycle. Element 0 first in the bus.
module table_quant (
    input             clk_i,
    input             rst_i,
    input             cfg_we,
    input      [3:0]  cfg_adr,
    input      [7:0]  cfg_dat,
    input             mem_we,
    input      [3:0]  mem_adr,
    input      [15:0] mem_dat,
    input             trig,
    output            idle,
    input      [3:0]  res_adr,
    output reg [15:0] res_dat,
    input      [9:0]  mode_rec      // {spare 2, intra 1, 1'b1, qp 6}: a record that has to agree with the registers
);
  reg [15:0] coef [0:15], level [0:15];
  reg [5:0] qp;
  reg intra, trig_q, bad;
  reg [4:0] n;
  assign idle = n == 16;
  function [13:0] factor(input [2:0] rem, input [1:0] cls);
    case ({rem, cls})
      {3'd0, 2'd0}: factor = 13107; {3'd0, 2'd1}: factor = 5243; {3'd0, 2'd2}: factor = 8066;
      {3'd1, 2'd0}: factor = 11916; {3'd1, 2'd1}: factor = 4660; {3'd1, 2'd2}: factor = 7490;
      {3'd2, 2'd0}: factor = 10082; {3'd2, 2'd1}: factor = 4194; {3'd2, 2'd2}: factor = 6554;
      {3'd3, 2'd0}: factor = 9362;  {3'd3, 2'd1}: factor = 3647; {3'd3, 2'd2}: factor = 5825;
      {3'd4, 2'd0}: factor = 8192;  {3'd4, 2'd1}: factor = 3355; {3'd4, 2'd2}: factor = 5243;
      {3'd5, 2'd0}: factor = 7282;  {3'd5, 2'd1}: factor = 2893; {3'd5, 2'd2}: factor = 4559;
      default: factor = 0;
    endcase
  endfunction
  wire [1:0] cls = !n[0] && !n[2] ? 2'd0 : n[0] && n[2] ? 2'd1 : 2'd2;
  wire [15:0] c = coef[n[3:0]];
  wire [15:0] magnitude = c[15] ? -c : c;
  wire [4:0] shift = 15 + qp / 6;
  wire [31:0] round = (32'd1 << shift) / (intra ? 3 : 6);
  wire [31:0] product = magnitude * factor(qp % 6, cls) + round;
  wire [15:0] q = product >> shift;
  always @(posedge clk_i) begin
    res_dat <= level[res_adr];
    trig_q <= trig;
    if (cfg_we && cfg_adr == 4) qp <= cfg_dat[5:0];
    if (cfg_we && cfg_adr == 5) intra <= cfg_dat[0];
    if (mem_we) coef[mem_adr] <= mem_dat;
    if (rst_i) begin n <= 16; trig_q <= 0; bad <= 0; end
    else if (trig_q && !trig) begin n <= 0; bad <= mode_rec != {2'b0, intra, 1'b1, qp}; end
    else if (!idle) begin
      level[n[3:0]] <= bad ? 16'hdead : c[15] ? -q : q;
      n <= n + 1;
    end
  end
endmodule
