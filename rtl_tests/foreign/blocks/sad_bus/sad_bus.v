// Foreign-looking on purpose: one 8-bit bus for two blocks, told apart by their valids; the answer is a record of packed
// bits in three words; a FIFO that may be full on the way out. No reset: as in many FPGAs, registers begin at zero.
module sad_bus (
    input             clk,
    input             cur_dv,      // 64 samples of the current block
    input             ref_dv,      // then 64 of the candidate
    input       [7:0] px,
    input             out_full,
    output            out_push,
    output     [33:0] out_word     // {tag, SADs of two 4x4 blocks of 16 bits each}; the whole block's SAD at last
);
  reg [7:0] block [0:63];
  reg [5:0] wr, rd;
  reg [15:0] part [0:3];
  reg [2:0] left;
  wire [7:0] now = block[rd];
  wire [7:0] ad = px > now ? px - now : now - px;
  wire [1:0] quarter = {rd[5], rd[2]};
  wire first = rd[4:0] == 5'd0 || rd[4:0] == 5'd4;   // of its quarter: rows 0 and 4, columns 0 and 4

  assign out_push = left != 0;
  assign out_word = left == 3 ? {2'd0, part[1], part[0]} : left == 2 ? {2'd1, part[3], part[2]} :
                    {2'd2, 16'd0, part[0] + part[1] + part[2] + part[3]};
  always @(posedge clk) begin
    if (cur_dv) begin block[wr] <= px; wr <= wr + 1'b1; end
    if (ref_dv) begin
      rd <= rd + 1'b1;
      part[quarter] <= (first ? 16'd0 : part[quarter]) + ad;
      if (rd == 6'd63) left <= 3'd3;
    end
    if (out_push && !out_full) left <= left - 1'b1;
  end
endmodule
