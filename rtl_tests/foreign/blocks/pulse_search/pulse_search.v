// Search that fetches its own samples: a start pulse, synchronous memories as masters (address and load, a row the
// cycle after), a done pulse. Full search of 8x8 blocks in a window of +-4, one row of one candidate a cycle.
module pulse_search (
    input clk, input rst_n,
    input go,
    output reg fin,
    output reg cur_ld, output reg [2:0] cur_adr, input [63:0] cur_row,
    output reg ref_ld, output reg [3:0] ref_adr, input [127:0] ref_row,
    output reg signed [4:0] best_dx, output reg signed [4:0] best_dy, output reg [13:0] best_sad
);
  reg [63:0] cur [0:7];
  reg [127:0] win [0:15];
  reg [2:0] st;
  reg [4:0] n, n_q;
  reg ld_q, ref_q;
  reg [3:0] dx, dy;
  reg [2:0] row;
  reg [13:0] acc;
  integer k;
  reg [10:0] sum;
  wire [127:0] line = win[dy + row];
  reg [7:0] a, b;
  always @* begin
    sum = 0;
    for (k = 0; k < 8; k = k + 1) begin
      a = cur[row][8*k +: 8];
      b = line[8*(dx + k) +: 8];
      sum = sum + (a > b ? a - b : b - a);
    end
  end
  wire [13:0] total = acc + sum;
  always @(posedge clk)
    if (!rst_n) begin
      st <= 0; fin <= 0; cur_ld <= 0; ref_ld <= 0; n <= 0; n_q <= 0; ld_q <= 0; ref_q <= 0;
      best_sad <= 0; best_dx <= 0; best_dy <= 0; cur_adr <= 0; ref_adr <= 0; dx <= 0; dy <= 0; row <= 0; acc <= 0;
    end else begin
      fin <= 0; cur_ld <= 0; ref_ld <= 0;
      ld_q <= cur_ld; ref_q <= ref_ld; n_q <= ref_ld ? {1'b0, ref_adr} : {2'b0, cur_adr};
      if (ld_q) cur[n_q[2:0]] <= cur_row;
      if (ref_q) win[n_q[3:0]] <= ref_row;
      case (st)
        0: if (go) begin st <= 1; n <= 0; end
        1: begin cur_ld <= 1; cur_adr <= n[2:0]; n <= n + 1; if (n == 7) begin st <= 2; n <= 0; end end
        2: begin ref_ld <= 1; ref_adr <= n[3:0]; n <= n + 1; if (n == 15) begin st <= 3; n <= 0; end end
        3: begin n <= n + 1; if (n == 2) begin st <= 4; dx <= 0; dy <= 0; row <= 0; acc <= 0; best_sad <= 14'h3fff; end end
        4: begin
          row <= row + 1; acc <= total;
          if (row == 7) begin
            acc <= 0;
            if (total < best_sad) begin
              best_sad <= total; best_dx <= $signed({1'b0, dx}) - 5'sd4; best_dy <= $signed({1'b0, dy}) - 5'sd4;
            end
            dx <= dx + 1;
            if (dx == 8) begin dx <= 0; dy <= dy + 1; if (dy == 8) begin st <= 0; fin <= 1; end end
          end
        end
        default: st <= 0;
      endcase
    end
endmodule
