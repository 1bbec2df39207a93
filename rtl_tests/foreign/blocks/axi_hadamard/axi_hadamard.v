// Hadamard transform of 4x4 DC coefficients in memory: a burst of four 64-bit beats over one AXI4 master, identifiers
// checked; eight single writes of two coefficients over an AXI4-Lite master of 32 bits, address and data side by side.
module axi_hadamard (
    input             clk, rst_n,
    input             go,
    input      [31:0] src, dst,
    output reg        busy,
    output     [3:0]  rd_arid, output [31:0] rd_araddr, output [7:0] rd_arlen, output [2:0] rd_arsize,
    output     [1:0]  rd_arburst, output reg rd_arvalid, input rd_arready,
    input      [3:0]  rd_rid, input [63:0] rd_rdata, input rd_rlast, input rd_rvalid, output rd_rready,
    output     [31:0] wr_awaddr, output reg wr_awvalid, input wr_awready,
    output     [31:0] wr_wdata, output [3:0] wr_wstrb, output reg wr_wvalid, input wr_wready,
    input      [1:0]  wr_bresp, input wr_bvalid, output wr_bready
);
  reg [3:0] tag;
  reg [255:0] x;
  reg [2:0] n;
  reg [1:0] beat;
  reg bad;
  reg writing;
  wire [255:0] rows, y;
  function [63:0] line(input [15:0] a, b, c, d);
    line = {a - b + c - d, a - b - c + d, a + b - c - d, a + b + c + d};
  endfunction
  genvar g;
  generate for (g = 0; g < 4; g = g + 1) begin : pass
    wire [63:0] down = line(rows[16*g+:16], rows[64+16*g+:16], rows[128+16*g+:16], rows[192+16*g+:16]);
    assign rows[64*g+:64] = line(x[64*g+:16], x[64*g+16+:16], x[64*g+32+:16], x[64*g+48+:16]);
    assign y[16*g+:16] = down[15:0]; assign y[64+16*g+:16] = down[31:16];
    assign y[128+16*g+:16] = down[47:32]; assign y[192+16*g+:16] = down[63:48];
  end endgenerate
  assign rd_arid = tag; assign rd_araddr = src; assign rd_arlen = 3; assign rd_arsize = 3; assign rd_arburst = 1;
  assign rd_rready = 1;
  assign wr_awaddr = dst + 4 * n; assign wr_wdata = y[32*n+:32] ^ {31'd0, bad}; assign wr_wstrb = 15; assign wr_bready = 1;
  always @(posedge clk)
    if (!rst_n) begin
      busy <= 0; rd_arvalid <= 0; wr_awvalid <= 0; wr_wvalid <= 0; tag <= 0; x <= 0; n <= 0; beat <= 0; bad <= 0; writing <= 0;
    end else begin
      if (go && !busy) begin busy <= 1; rd_arvalid <= 1; tag <= tag + 5; beat <= 0; bad <= 0; end
      if (rd_arvalid && rd_arready) rd_arvalid <= 0;
      if (rd_rvalid) begin
        x <= {rd_rdata, x[255:64]}; beat <= beat + 1;
        if (rd_rid != tag || rd_rlast != (beat == 3)) bad <= 1;
        if (rd_rlast) begin writing <= 1; n <= 0; wr_awvalid <= 1; wr_wvalid <= 1; end
      end
      if (wr_awvalid && wr_awready) wr_awvalid <= 0;
      if (wr_wvalid && wr_wready) wr_wvalid <= 0;
      if (writing && wr_bvalid) begin
        if (wr_bresp != 0) bad <= 1;
        n <= n + 1;
        if (n == 7) begin writing <= 0; busy <= 0; end else begin wr_awvalid <= 1; wr_wvalid <= 1; end
      end
    end
endmodule
