// CAVLC of the four DC levels of a chroma component (9.2, nC = -1): a code a cycle at the low end of a port, with its
// length. The highest frequency stands on the first port; `ready_o` is low from the start to the last code.
module cavlc_writer (clk, rst_n, start_i, lev3_i, lev2_i, lev1_i, lev0_i, ready_o, code_o, len_o, we_o);
  input clk, rst_n, start_i;
  input [12:0] lev3_i, lev2_i, lev1_i, lev0_i;
  output ready_o, we_o;
  output [27:0] code_o;
  output [4:0] len_o;

  parameter IDLE = 0, SCAN = 1, TOKEN = 2, SIGNS = 3, LEVEL = 4, ZEROS = 5, RUNS = 6;
  reg [2:0] st;
  reg ready_o, we_o;
  reg [27:0] code_o;
  reg [4:0] len_o;
  reg [51:0] rest;                   // the next level on top
  reg [1:0] at;
  reg seen, ones;
  reg [2:0] count, trailing, n;
  reg [1:0] zeros, left;
  reg [12:0] lv[0:3];
  reg [1:0] run[0:3];
  reg [2:0] suffix;
  reg first;
  wire [12:0] next = rest[51:39];
  wire unit = next == 13'd1 || next == 13'h1fff;
  // level under the hand
  wire [12:0] now = lv[n[1:0]];
  wire [12:0] size = now[12] ? -now : now;
  wire [13:0] plain = now[12] ? 2 * size - 1 : 2 * size - 2;
  wire [13:0] value = first && trailing < 3 ? plain - 2 : plain;
  wire [13:0] over = suffix == 0 ? 14'd30 : 14'd15 << suffix;
  wire [2:0] after = (suffix == 0 ? 3'd1 : suffix) + (suffix < 6 && size > (13'd3 << (suffix == 0 ? 0 : suffix - 1)) ? 3'd1 : 3'd0);

  task put(input [27:0] code, input [4:0] length);
    begin we_o <= 1; code_o <= code; len_o <= length; end
  endtask

  always @(posedge clk or negedge rst_n)
    if (!rst_n) begin
      st <= IDLE; ready_o <= 1; we_o <= 0; code_o <= 0; len_o <= 0; rest <= 0; at <= 0; seen <= 0; ones <= 0; count <= 0;
      trailing <= 0; n <= 0; zeros <= 0; left <= 0; suffix <= 0; first <= 0;
    end else begin
      we_o <= 0;
      case (st)
        IDLE: begin
          ready_o <= 1;
          if (start_i) begin
            st <= SCAN; ready_o <= 0; rest <= {lev3_i, lev2_i, lev1_i, lev0_i}; at <= 3; seen <= 0; ones <= 1; count <= 0;
            trailing <= 0; zeros <= 0; run[0] <= 0; run[1] <= 0; run[2] <= 0; run[3] <= 0;
          end
        end
        SCAN: begin
          rest <= rest << 13; at <= at - 1'b1;
          if (next != 0) begin
            lv[count[1:0]] <= next; count <= count + 1'b1; seen <= 1;
            if (ones && unit && trailing < 3) trailing <= trailing + 1'b1; else ones <= 0;
          end else if (seen) begin
            zeros <= zeros + 1'b1; run[count[1:0] - 2'd1] <= run[count[1:0] - 2'd1] + 1'b1;
          end
          if (at == 0) st <= TOKEN;
        end
        TOKEN: begin
          case ({count, trailing[1:0]})
            {3'd0, 2'd0}: put(1, 2);
            {3'd1, 2'd0}: put(7, 6);   {3'd1, 2'd1}: put(1, 1);
            {3'd2, 2'd0}: put(4, 6);   {3'd2, 2'd1}: put(6, 6);   {3'd2, 2'd2}: put(1, 3);
            {3'd3, 2'd0}: put(3, 6);   {3'd3, 2'd1}: put(3, 7);   {3'd3, 2'd2}: put(2, 7);   {3'd3, 2'd3}: put(5, 6);
            {3'd4, 2'd0}: put(2, 6);   {3'd4, 2'd1}: put(3, 8);   {3'd4, 2'd2}: put(2, 8);   default: put(0, 7);
          endcase
          n <= trailing; suffix <= 0; first <= 1; left <= zeros;
          st <= count == 0 ? IDLE : trailing != 0 ? SIGNS : LEVEL;
        end
        SIGNS: begin
          case (trailing)
            1: put(lv[0][12], 1);
            2: put({lv[0][12], lv[1][12]}, 2);
            default: put({lv[0][12], lv[1][12], lv[2][12]}, 3);
          endcase
          st <= trailing == count ? (count == 4 ? IDLE : ZEROS) : LEVEL;
        end
        LEVEL: begin
          if (value >= over) put(28'd4096 | (value - over), 28);
          else if (suffix == 0 && value >= 14) put(28'd16 | (value - 14), 19);
          else if (suffix == 0) put(1, value + 1);
          else put((28'd1 << suffix) | (value & ((14'd1 << suffix) - 14'd1)), (value >> suffix) + 1 + suffix);
          suffix <= after; first <= 0; n <= n + 1'b1;
          if (n + 1 == count) st <= count == 4 ? IDLE : ZEROS;
        end
        ZEROS: begin
          if (zeros + count == 4) put(0, zeros); else put(1, zeros + 1);
          n <= 0; st <= RUNS;
          if (count == 1 || zeros == 0) st <= IDLE;
        end
        RUNS: begin
          case (left)
            1: put(run[n[1:0]] == 0, 1);
            2: if (run[n[1:0]] == 0) put(1, 1); else put(run[n[1:0]] == 1, 2);
            default: put(2'd3 - run[n[1:0]], 2);
          endcase
          left <= left - run[n[1:0]]; n <= n + 1'b1;
          if (n + 2 == count || left == run[n[1:0]]) st <= IDLE;
        end
        default: st <= IDLE;
      endcase
    end
endmodule
