// SATD of a 4x4 block: half the sum of magnitudes of the Hadamard transform of source - prediction. Two registers, a block
// a cycle; `tag` goes along.

`default_nettype none

module mode_decision_satd #(
    parameter int unsigned TAG_W = 8
) (
    input  wire logic             clk,
    input  wire logic             rst_n,
    input  wire logic             in_valid_i,
    input  wire logic [15:0][7:0] in_source_i,
    input  wire logic [15:0][7:0] in_pred_i,
    input  wire logic [TAG_W-1:0] in_tag_i,
    output      logic             out_valid_o,
    output      logic [12:0]      out_satd_o,   // at most 8160
    output      logic [TAG_W-1:0] out_tag_o
);

  typedef logic signed [12:0] value_t;

  function automatic value_t [3:0] line_of(input value_t [3:0] line);
    value_t s, d, t, e;
    s = line[0] + line[2];
    d = line[0] - line[2];
    t = line[1] + line[3];
    e = line[1] - line[3];
    line_of[0] = s + t;
    line_of[1] = s - t;
    line_of[2] = d + e;
    line_of[3] = d - e;
  endfunction

  value_t [15:0]    rows_d, rows_q;
  logic             valid_q;
  logic [TAG_W-1:0] tag_q;
  always_comb begin
    value_t [15:0] difference;
    for (int unsigned i = 0; i < 16; i++) difference[i] = $signed({5'd0, in_source_i[i]}) - $signed({5'd0, in_pred_i[i]});
    for (int unsigned y = 0; y < 4; y++) begin
      {rows_d[4*y+3], rows_d[4*y+2], rows_d[4*y+1], rows_d[4*y]} =
          line_of({difference[4*y+3], difference[4*y+2], difference[4*y+1], difference[4*y]});
    end
  end

  logic [13:0] total;
  always_comb begin
    total = '0;
    for (int unsigned x = 0; x < 4; x++) begin
      value_t [3:0] column;
      column = line_of({rows_q[12+x], rows_q[8+x], rows_q[4+x], rows_q[x]});
      for (int unsigned y = 0; y < 4; y++) total = total + 14'(column[y][12] ? -column[y] : column[y]);
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid_q     <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      valid_q     <= in_valid_i;
      out_valid_o <= valid_q;
    end
  end
  always_ff @(posedge clk) begin
    rows_q     <= rows_d;
    tag_q      <= in_tag_i;
    out_satd_o <= total[13:1];
    out_tag_o  <= tag_q;
  end

endmodule

`default_nettype wire
