// Hadamard transform of 4x4 DC coefficients in a core that has a clock of its own: the bus side takes a block and raises
// a flag, which crosses over two registers each way; the core does a row or a column a cycle.
module two_clocks (
    input              bus_clk, bus_rst_n,
    input              req,
    input      [255:0] x,
    output reg         ack,
    output     [255:0] y,
    input              core_clk, core_rst_n
);
  reg asked, asked_1, asked_2, asked_3, answered, answered_1, answered_2, answered_3;
  reg [255:0] taken, work;
  reg [3:0] n;
  assign y = work;
  always @(posedge bus_clk or negedge bus_rst_n)
    if (!bus_rst_n) begin
      asked <= 0; answered_1 <= 0; answered_2 <= 0; answered_3 <= 0; ack <= 0; taken <= 0;
    end else begin
      answered_1 <= answered; answered_2 <= answered_1; answered_3 <= answered_2;
      ack <= answered_3 != answered_2;
      if (req) begin asked <= !asked; taken <= x; end
    end
  function [63:0] line(input [63:0] d);
    reg signed [15:0] a, b, c, e;
    begin
      a = d[15:0] + d[31:16]; b = d[47:32] + d[63:48]; c = d[15:0] - d[31:16]; e = d[47:32] - d[63:48];
      line[15:0] = a + b; line[31:16] = a - b; line[47:32] = c - e; line[63:48] = c + e;
    end
  endfunction
  wire [63:0] column = {work[192+:16], work[128+:16], work[64+:16], work[0+:16]};
  wire [63:0] down = line(column);
  always @(posedge core_clk or negedge core_rst_n)
    if (!core_rst_n) begin
      asked_1 <= 0; asked_2 <= 0; asked_3 <= 0; answered <= 0; work <= 0; n <= 8;
    end else begin
      asked_1 <= asked; asked_2 <= asked_1; asked_3 <= asked_2;
      if (asked_3 != asked_2) begin work <= taken; n <= 0; end
      else if (n < 4) begin work <= {line(work[63:0]), work[255:64]}; n <= n + 1; end
      else if (n < 8) begin                    // columns come by turning all of them by one
        work[255:192] <= {down[63:48], work[255:208]}; work[191:128] <= {down[47:32], work[191:144]};
        work[127:64] <= {down[31:16], work[127:80]}; work[63:0] <= {down[15:0], work[63:16]};
        n <= n + 1;
        if (n == 7) answered <= !answered;
      end
    end
endmodule
