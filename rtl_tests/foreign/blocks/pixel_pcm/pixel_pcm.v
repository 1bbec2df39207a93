// An encoder that is started once for a whole sequence of pictures of 16x32: a pixel of three components a cycle in,
// bytes of an H.264 Annex B stream of I_PCM macroblocks into a memory. Samples of 0 are not made for it: no emulation
// prevention.
`timescale 1ns / 100ps
module pixel_pcm (
    input             clk,
    input             reset,
    input             encode_start,
    input      [15:0] total_frames,
    output reg        encode_done,
    input             in_valid,
    output            in_ready,
    input      [7:0]  in_pixel_y, in_pixel_u, in_pixel_v,
    output reg [15:0] bs_mem_addr,
    output reg [7:0]  bs_mem_data,
    output reg        bs_mem_wr
);
  localparam IDLE = 0, SETS = 1, SLICE = 2, TAKE = 3, TYPE = 4, LUMA = 5, CB = 6, CR = 7, STOP = 8;
  reg [3:0] st;
  reg [15:0] frame;
  reg [8:0] n;
  reg down;
  reg [15:0] next;
  reg [7:0] y[0:255], u[0:63], v[0:63];
  wire [151:0] sets = 152'h00_00_00_01_67_42_C0_28_DD_51_00_00_00_01_68_CE_3C_80_00;
  wire [71:0] slice = {40'h00_00_00_01_65, frame[0] ? 32'h88_82_28_34 : 32'h88_84_A0_D0};
  wire [5:0] place = {n[7:5], n[3:1]};
  assign in_ready = st == TAKE;

  task put(input [7:0] value);
    begin bs_mem_wr <= 1; bs_mem_data <= value; bs_mem_addr <= next; next <= next + 1; n <= n + 1; end
  endtask

  always @(posedge clk)
    if (reset) begin
      st <= IDLE; frame <= 0; n <= 0; down <= 0; next <= 0; bs_mem_wr <= 0; bs_mem_addr <= 0; bs_mem_data <= 0;
      encode_done <= 0;
    end else begin
      bs_mem_wr <= 0;
      case (st)
        IDLE: if (encode_start) begin st <= SETS; n <= 0; frame <= 0; next <= 0; encode_done <= 0; end
        SETS: begin put(sets >> (8 * (18 - n))); if (n == 17) begin st <= SLICE; n <= 0; end end
        SLICE: begin put(slice >> (8 * (8 - n))); if (n == 8) begin st <= TAKE; n <= 0; down <= 0; end end
        TAKE: if (in_valid) begin
          y[n[7:0]] <= in_pixel_y;
          if (!n[0] && !n[4]) begin u[place] <= in_pixel_u; v[place] <= in_pixel_v; end
          n <= n + 1;
          if (n == 255) begin st <= down ? TYPE : LUMA; n <= 0; end
        end
        TYPE: begin put(n == 0 ? 8'h0D : 8'h00); if (n == 1) begin st <= LUMA; n <= 0; end end
        LUMA: begin put(y[n[7:0]]); if (n == 255) begin st <= CB; n <= 0; end end
        CB: begin put(u[n[5:0]]); if (n == 63) begin st <= CR; n <= 0; end end
        CR: begin put(v[n[5:0]]); if (n == 63) begin st <= down ? STOP : TAKE; n <= 0; down <= 1; end end
        STOP: begin
          put(8'h80); n <= 0; frame <= frame + 1; st <= SLICE;
          if (frame + 1 == total_frames) begin st <= IDLE; encode_done <= 1; end
        end
        default: st <= IDLE;
      endcase
    end
endmodule
