// Foreign-looking on purpose: Verilog-2001, active-high asynchronous reset, one port an element, a row a cycle in,
// a column a cycle out through a transposing buffer. H.264 4x4 forward core transform.
module row_dct4 (clk, rst, en, x0, x1, x2, x3, vld, y0, y1, y2, y3);
  parameter IW = 9;
  parameter OW = 15;
  input clk, rst, en;
  input  signed [IW-1:0] x0, x1, x2, x3;
  output reg vld;
  output reg signed [OW-1:0] y0, y1, y2, y3;

  wire signed [OW-1:0] s03 = x0 + x3, s12 = x1 + x2, d03 = x0 - x3, d12 = x1 - x2;
  reg signed [OW-1:0] t [0:31];       // two banks of 4 rows
  reg [1:0] wr_row;
  reg wr_bank, rd_bank, busy;
  reg [1:0] rd_col;

  wire [4:0] w = {wr_bank, wr_row, 2'b00};
  wire signed [OW-1:0] a0 = t[{rd_bank, 2'd0, rd_col}], a1 = t[{rd_bank, 2'd1, rd_col}];
  wire signed [OW-1:0] a2 = t[{rd_bank, 2'd2, rd_col}], a3 = t[{rd_bank, 2'd3, rd_col}];
  wire signed [OW-1:0] c03 = a0 + a3, c12 = a1 + a2, e03 = a0 - a3, e12 = a1 - a2;

  always @(posedge clk or posedge rst)
    if (rst) begin
      wr_row <= 0; wr_bank <= 0; rd_bank <= 0; rd_col <= 0; busy <= 0; vld <= 0;
      y0 <= 0; y1 <= 0; y2 <= 0; y3 <= 0;
    end else begin
      if (en) begin
        t[w]     <= s03 + s12;
        t[w + 1] <= (d03 <<< 1) + d12;
        t[w + 2] <= s03 - s12;
        t[w + 3] <= d03 - (d12 <<< 1);
        wr_row <= wr_row + 2'd1;
        if (wr_row == 2'd3) wr_bank <= ~wr_bank;
      end
      if (en && wr_row == 2'd3) begin busy <= 1; rd_bank <= wr_bank; rd_col <= 0; end
      else if (busy) begin rd_col <= rd_col + 2'd1; if (rd_col == 2'd3) busy <= 0; end
      vld <= busy;
      y0 <= c03 + c12;
      y1 <= (e03 <<< 1) + e12;
      y2 <= c03 - c12;
      y3 <= e03 - (e12 <<< 1);
    end
endmodule
