// Quarter-sample interpolation of luma (H.264 8.4.2.2.1): four rows of COLUMNS samples a cycle, three registers.
//
// Half samples are filtered on the fly from whole ones; quarter samples are rounded means of two (Table 8-12).

`default_nettype none

module luma_interpolation #(
    parameter int unsigned COLUMNS = 8  // samples of a row, 4 or 8
) (
    input  wire logic                            clk,
    input  wire logic [8:0][COLUMNS+4:0][7:0]    area_i,       // whole samples: two above and to the left, three beyond
    input  wire logic [3:0]                      kind_i,       // 4 * yFrac + xFrac
    output      logic [3:0][COLUMNS-1:0][7:0]    predicted_o   // three cycles later
);

  if (COLUMNS != 4 && COLUMNS != 8) begin : g_parameter_check
    $fatal(1, "luma_interpolation: COLUMNS is %0d, 4 or 8 are allowed", COLUMNS);
  end

  logic [3:0] kind1_q, kind2_q;
  always_ff @(posedge clk) begin
    kind1_q <= kind_i;
    kind2_q <= kind1_q;
  end

  // 1: six taps across and down
  function automatic logic signed [19:0] six(input logic signed [15:0] a, input logic signed [15:0] b,
                                             input logic signed [15:0] c, input logic signed [15:0] d,
                                             input logic signed [15:0] e, input logic signed [15:0] f);
    return 20'(a) + 20'(f) - 20'sd5 * (20'(b) + 20'(e)) + 20'sd20 * (20'(c) + 20'(d));
  endfunction
  function automatic logic signed [15:0] wide(input logic [7:0] sample);
    return $signed({8'd0, sample});
  endfunction
  function automatic logic [7:0] clipped(input logic signed [19:0] value);
    return value < 0 ? 8'd0 : value > 20'sd255 ? 8'd255 : 8'(value);
  endfunction
  typedef logic signed [15:0] sum_t;
  sum_t [8:0][COLUMNS-1:0]      across_q;   // b1, all rows
  sum_t [3:0][COLUMNS:0]        down_q;     // h1, a column more
  logic [4:0][COLUMNS:0][7:0]   whole1_q;   // G, a row and a column more
  always_ff @(posedge clk) begin
    for (int unsigned r = 0; r < 9; r++) begin
      for (int unsigned c = 0; c < COLUMNS; c++) begin
        across_q[r][c] <= 16'(six(wide(area_i[r][c]), wide(area_i[r][c+1]), wide(area_i[r][c+2]), wide(area_i[r][c+3]),
                                  wide(area_i[r][c+4]), wide(area_i[r][c+5])));
      end
    end
    for (int unsigned r = 0; r < 4; r++) begin
      for (int unsigned c = 0; c <= COLUMNS; c++) begin
        down_q[r][c] <= 16'(six(wide(area_i[r][c+2]), wide(area_i[r+1][c+2]), wide(area_i[r+2][c+2]),
                                wide(area_i[r+3][c+2]), wide(area_i[r+4][c+2]), wide(area_i[r+5][c+2])));
      end
    end
    for (int unsigned r = 0; r < 5; r++) begin
      for (int unsigned c = 0; c <= COLUMNS; c++) whole1_q[r][c] <= area_i[r+2][c+2];
    end
  end

  // 2: half samples
  logic [4:0][COLUMNS-1:0][7:0] b_q;
  logic [3:0][COLUMNS:0][7:0]   h_q;
  logic [3:0][COLUMNS-1:0][7:0] j_q;
  logic [4:0][COLUMNS:0][7:0]   whole2_q;
  always_ff @(posedge clk) begin
    whole2_q <= whole1_q;
    for (int unsigned r = 0; r < 5; r++) begin
      for (int unsigned c = 0; c < COLUMNS; c++) b_q[r][c] <= clipped((20'(across_q[r+2][c]) + 20'sd16) >>> 5);
    end
    for (int unsigned r = 0; r < 4; r++) begin
      for (int unsigned c = 0; c <= COLUMNS; c++) h_q[r][c] <= clipped((20'(down_q[r][c]) + 20'sd16) >>> 5);
      for (int unsigned c = 0; c < COLUMNS; c++) begin
        j_q[r][c] <= clipped((six(across_q[r][c], across_q[r+1][c], across_q[r+2][c], across_q[r+3][c],
                                  across_q[r+4][c], across_q[r+5][c]) + 20'sd512) >>> 10);
      end
    end
  end

  // 3: the rounded mean of the two samples that make up the position
  always_ff @(posedge clk) begin
    for (int unsigned r = 0; r < 4; r++) begin
      for (int unsigned c = 0; c < COLUMNS; c++) begin
        logic [7:0] one, two, g, b, h, j;
        g = whole2_q[r][c];
        b = b_q[r][c];
        h = h_q[r][c];
        j = j_q[r][c];
        unique case (kind2_q)
          4'd0:  {one, two} = {g, g};
          4'd1:  {one, two} = {g, b};
          4'd2:  {one, two} = {b, b};
          4'd3:  {one, two} = {b, whole2_q[r][c+1]};
          4'd4:  {one, two} = {g, h};
          4'd5:  {one, two} = {b, h};
          4'd6:  {one, two} = {b, j};
          4'd7:  {one, two} = {b, h_q[r][c+1]};
          4'd8:  {one, two} = {h, h};
          4'd9:  {one, two} = {h, j};
          4'd10: {one, two} = {j, j};
          4'd11: {one, two} = {j, h_q[r][c+1]};
          4'd12: {one, two} = {h, whole2_q[r+1][c]};
          4'd13: {one, two} = {h, b_q[r+1][c]};
          4'd14: {one, two} = {j, b_q[r+1][c]};
          default: {one, two} = {h_q[r][c+1], b_q[r+1][c]};
        endcase
        predicted_o[r][c] <= 8'((9'(one) + 9'(two) + 9'd1) >> 1);
      end
    end
  end

endmodule

`default_nettype wire
