// SATD of 8x8 blocks, a row of differences a beat: both ends are interfaces, with a clock of their own and a structure
// beside the data; results go to two ends, the sum to one, a copy of the block's number to the other.
interface axis_if #(parameter int W = 8) (input logic clk);
  typedef struct packed {logic last; logic [5:0] id;} user_t;
  logic [W-1:0] tdata;
  user_t        tuser;
  logic         tvalid, tready;
  modport sink   (input clk, tdata, tuser, tvalid, output tready);
  modport source (input clk, output tdata, tuser, tvalid, input tready);
endinterface

module stream_satd #(parameter int IN = 9) (
    input logic    clk, rst_n,
    axis_if.sink   rows,
    axis_if.source sums [2]
);
  logic signed [15:0] block [8][8];
  logic [2:0] row;
  logic [5:0] id;
  logic full;
  function automatic logic [20:0] satd4(input logic signed [15:0] d [8][8], input int oy, input int ox);
    logic signed [15:0] a [4][4], b [4][4];
    logic [20:0] sum;
    for (int y = 0; y < 4; y++) begin
      logic signed [15:0] s0, s1, d0, d1;
      s0 = d[oy+y][ox] + d[oy+y][ox+2]; s1 = d[oy+y][ox+1] + d[oy+y][ox+3];
      d0 = d[oy+y][ox] - d[oy+y][ox+2]; d1 = d[oy+y][ox+1] - d[oy+y][ox+3];
      a[y][0] = s0 + s1; a[y][1] = s0 - s1; a[y][2] = d0 + d1; a[y][3] = d0 - d1;
    end
    sum = 0;
    for (int x = 0; x < 4; x++) begin
      logic signed [15:0] s0, s1, d0, d1;
      s0 = a[0][x] + a[2][x]; s1 = a[1][x] + a[3][x]; d0 = a[0][x] - a[2][x]; d1 = a[1][x] - a[3][x];
      b[0][x] = s0 + s1; b[1][x] = s0 - s1; b[2][x] = d0 + d1; b[3][x] = d0 - d1;
      for (int y = 0; y < 4; y++) sum += 21'(b[y][x] < 0 ? -b[y][x] : b[y][x]);
    end
    return (sum + 1) >> 1;
  endfunction
  wire [20:0] total = satd4(block, 0, 0) + satd4(block, 0, 4) + satd4(block, 4, 0) + satd4(block, 4, 4);
  assign rows.tready = !full;
  assign sums[0].tdata = total;
  assign sums[0].tuser = {1'b1, id};
  assign sums[0].tvalid = full;
  assign sums[1].tdata = '0;
  assign sums[1].tuser = {1'b0, id};
  assign sums[1].tvalid = full && sums[0].tready;
  always_ff @(posedge clk)
    if (!rst_n) begin row <= 0; full <= 0; id <= 0; end
    else begin
      if (full && sums[0].tready) full <= 0;
      if (rows.tvalid && rows.tready) begin
        row <= row + 1;
        for (int x = 0; x < 8; x++) block[row][x] <= 16'(signed'(rows.tdata[IN*x+:IN]));
        id <= rows.tuser.id;
        if (rows.tuser.last) full <= 1;
      end
    end
endmodule
