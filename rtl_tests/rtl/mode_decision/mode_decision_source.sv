// Source of mode decision: two banks of a macroblock each, and a copy for each of two readers.

`default_nettype none

module mode_decision_source
  import encode_core_pkg::*;
(
    input  wire logic        clk,
    input  wire logic        rst_n,
    input  wire logic        in_valid_i,
    output      logic        in_ready_o,
    input  wire block_t      in_i,          // 24 a macroblock: luma in raster order, Cb, Cr
    output      logic        there_o,       // a macroblock is complete
    input  wire logic        end_i,         // pulse: it is done with
    input  wire logic        near_read_i,
    input  wire logic [4:0]  near_block_i,
    output      block_t      near_o,        // a cycle later
    input  wire logic        far_read_i,
    input  wire logic [4:0]  far_block_i,
    output      block_t      far_o
);

  logic [1:0] full_q;
  logic       in_q, out_q;  // banks
  logic [4:0] count_q;
  logic       taken;
  assign in_ready_o = !full_q[in_q];
  assign taken      = in_valid_i && in_ready_o;
  assign there_o    = full_q[out_q];
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      full_q  <= '0;
      in_q    <= 1'b0;
      out_q   <= 1'b0;
      count_q <= '0;
    end else begin
      if (taken) begin
        count_q <= count_q + 5'd1;
        if (count_q == 5'(BLOCKS - 1)) begin
          count_q      <= '0;
          full_q[in_q] <= 1'b1;
          in_q         <= !in_q;
        end
      end
      if (end_i) begin
        full_q[out_q] <= 1'b0;
        out_q         <= !out_q;
      end
    end
  end
  sram_1r1w #(
      .DATA_W(128),
      .WORDS (64)
  ) i_near (
      .clk            (clk),
      .write_i        (taken),
      .write_address_i({in_q, count_q}),
      .write_data_i   (in_i),
      .read_i         (near_read_i),
      .read_address_i ({out_q, near_block_i}),
      .read_data_o    (near_o)
  );
  sram_1r1w #(
      .DATA_W(128),
      .WORDS (64)
  ) i_far (
      .clk            (clk),
      .write_i        (taken),
      .write_address_i({in_q, count_q}),
      .write_data_i   (in_i),
      .read_i         (far_read_i),
      .read_address_i ({out_q, far_block_i}),
      .read_data_o    (far_o)
  );

endmodule

`default_nettype wire
