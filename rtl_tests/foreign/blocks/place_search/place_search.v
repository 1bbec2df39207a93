// Search that asks for samples by place: the block being coded in rectangles of 8x4, the reference a row of eight from
// any column, with signed coordinates around the co-located block. Ports in the style of Verilog-1995.
module place_search (clk, rstn, start_i, done_o,
    cur_rden_o, cur_4x4_x_o, cur_4x4_y_o, cur_pel_i,
    ref_rden_o, ref_x_o, ref_y_o, ref_pel_i,
    mv_o, sad_o);
  parameter RANGE = 4;
  input clk, rstn, start_i;
  output done_o, cur_rden_o, ref_rden_o;
  output [1:0] cur_4x4_x_o, cur_4x4_y_o;
  input [255:0] cur_pel_i;
  output [4:0] ref_x_o, ref_y_o;     // two's complement
  input [63:0] ref_pel_i;
  output [9:0] mv_o;                 // row, column
  output [13:0] sad_o;

  reg done_o, cur_rden_o, ref_rden_o, cur_q, ref_q, last, last_q;
  reg [1:0] cur_4x4_y_o;
  reg [511:0] cur;
  reg [2:0] st, row, row_q;
  reg signed [4:0] x, y, x_q, y_q;
  reg [9:0] mv_o;
  reg [13:0] sad_o, acc, sum;
  reg [7:0] a, b;
  integer k;
  assign cur_4x4_x_o = 2'd0;
  assign ref_x_o = x;
  assign ref_y_o = y + row;
  always @* begin
    sum = row_q == 0 ? 14'd0 : acc;
    for (k = 0; k < 8; k = k + 1) begin
      a = cur[511 - 64 * row_q - 8 * k -: 8];
      b = ref_pel_i[63 - 8 * k -: 8];
      sum = sum + (a > b ? a - b : b - a);
    end
  end
  always @(posedge clk or negedge rstn)
    if (!rstn) begin
      st <= 0; done_o <= 0; cur_rden_o <= 0; ref_rden_o <= 0; cur_q <= 0; ref_q <= 0; cur_4x4_y_o <= 0; row <= 0;
      row_q <= 0; x <= 0; y <= 0; x_q <= 0; y_q <= 0; mv_o <= 0; sad_o <= 0; acc <= 0; last <= 0; last_q <= 0;
    end else begin
      done_o <= 0;
      cur_q <= cur_rden_o; ref_q <= ref_rden_o; row_q <= row; x_q <= x; y_q <= y; last_q <= last;
      if (cur_q) cur <= {cur[255:0], cur_pel_i};
      if (ref_q) begin
        acc <= sum;
        if (row_q == 7 && sum < sad_o) begin sad_o <= sum; mv_o <= {y_q, x_q}; end
      end
      case (st)
        0: if (start_i) begin st <= 1; cur_rden_o <= 1; cur_4x4_y_o <= 0; sad_o <= 14'h3fff; last <= 0; end
        1: begin cur_4x4_y_o <= 1; st <= 2; end
        2: begin cur_rden_o <= 0; st <= 3; end
        3: begin st <= 4; ref_rden_o <= 1; x <= -RANGE; y <= -RANGE; row <= 0; end
        4: begin
          row <= row + 1'b1;
          if (row == 7) begin
            x <= x + 1'b1;
            if (x == RANGE) begin
              x <= -RANGE; y <= y + 1'b1;
              if (y == RANGE) begin st <= 5; ref_rden_o <= 0; last <= 1; end
            end
          end
        end
        default: if (last_q) begin st <= 0; done_o <= 1; last <= 0; end
      endcase
    end
endmodule
