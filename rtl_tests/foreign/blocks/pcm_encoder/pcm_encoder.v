// A whole, if lazy, encoder: every macroblock becomes I_PCM. Slice data only, without emulation prevention; software
// writes the header and says how many bits it had. Samples come over a command port (start, mode, position; a burst;
// done), the reconstruction goes back the same way; with PULL they come over a request channel instead, with TILED they
// come in tiles of 8x4 and leave in tiles of 4x4.
module pcm_encoder (
    input              clk,
    input              rst_n,
    input              sys_start,
    output reg         sys_idle,
    input      [7:0]   mb_w,
    input      [7:0]   mb_h,
    input      [2:0]   hdr_bits,
    output reg         ext_start,
    output reg [1:0]   ext_mode,     // 0 luma in, 1 chroma in, 2 luma out, 3 chroma out
    output reg [7:0]   ext_x,
    output reg [7:0]   ext_y,
    input              ext_done,
    input              ext_we,
    input      [4:0]   ext_addr,
    input      [127:0] ext_wdata,
    input              ext_re,
    output     [127:0] ext_rdata,
    output reg         pull_req,
    input              pull_val,
    input      [63:0]  pull_data,
    output reg         bs_valid,
    output reg [7:0]   bs_byte,
    output reg [3:0]   bs_bits      // that count, from the top
);
  reg [127:0] buffer [0:23];         // 16 rows of luma, 8 rows of Cb and Cr in turn
  reg [7:0] rd_q;
  reg [3:0] st;
  reg [8:0] n;
  reg [2:0] phase;
  reg [5:0] beat;
  reg first;
`ifdef TILED
  // A tile of 4x4 a beat: 16 of luma, then 8 of chroma
  wire [4:0] top = rd_q[4] ? {2'b10, rd_q[2], 2'b00} : {1'b0, rd_q[3:2], 2'b00};
  wire [6:0] right = 32 * (3 - rd_q[1:0]);
  wire [127:0] r0 = buffer[top] >> right, r1 = buffer[top + 1] >> right, r2 = buffer[top + 2] >> right;
  wire [127:0] r3 = buffer[top + 3] >> right;
  assign ext_rdata = {r0[31:0], r1[31:0], r2[31:0], r3[31:0]};
`else
  assign ext_rdata = buffer[rd_q];
`endif
  wire [127:0] word = buffer[st == 5 ? n[7:4] : 16 + n[5:3]];
  // Cb of a row: even bytes; Cr: odd ones; the first sample in the top byte
  wire [7:0] luma = word >> (8 * (15 - n[3:0]));
  wire [7:0] chro = word >> (8 * (15 - {n[2:0], n[6]}));
  always @(posedge clk)
    if (!rst_n) begin
      st <= 0; sys_idle <= 1; ext_start <= 0; ext_mode <= 0; ext_x <= 0; ext_y <= 0; bs_valid <= 0; bs_byte <= 0; bs_bits <= 8;
      pull_req <= 0; n <= 0; phase <= 0; beat <= 0; rd_q <= 0; first <= 0;
    end else begin
      ext_start <= 0; bs_valid <= 0; bs_bits <= 8;
`ifdef TILED
      if (ext_we && ext_addr[2]) buffer[{ext_mode[0], ext_addr[4] & ~ext_mode[0], ext_addr[3], ext_addr[1:0]}][63:0] <= ext_wdata[63:0];
      if (ext_we && !ext_addr[2]) buffer[{ext_mode[0], ext_addr[4] & ~ext_mode[0], ext_addr[3], ext_addr[1:0]}][127:64] <= ext_wdata[63:0];
      if (ext_re) rd_q <= ext_addr;
`else
      if (ext_we) buffer[ext_addr[3:0] + (ext_mode == 1 ? 16 : 0)] <= ext_wdata;
      if (ext_re) rd_q <= ext_addr[3:0] + (ext_mode == 3 ? 16 : 0);
`endif
      if (pull_val) begin
        if (beat[0]) buffer[beat[5:1]][63:0] <= pull_data; else buffer[beat[5:1]][127:64] <= pull_data;
        beat <= beat + 1;
      end
      case (st)
        0: if (sys_start) begin sys_idle <= 0; ext_x <= 0; ext_y <= 0; first <= 1; st <= 1; end
`ifdef PULL
        1: begin pull_req <= 1; beat <= 0; st <= 2; end
        2: begin if (pull_val) pull_req <= 0; if (pull_val && beat == 47) st <= 4; end
`else
        1: begin ext_start <= 1; ext_mode <= 0; st <= 2; end
        2: if (ext_done) begin ext_start <= 1; ext_mode <= 1; st <= 3; end
        3: if (ext_done) st <= 4;
`endif
        // mb_type, then zeros up to the byte: behind the header these are not eight bits
        4: begin
          n <= n + 1;
          bs_valid <= 1;
          bs_byte <= n == 0 ? 8'b00001101 : 8'b00000000;      // ue(25) is 000011010
          bs_bits <= n == 1 && first ? 4'd8 - hdr_bits : 4'd8;
          if (n == 1) begin n <= 0; first <= 0; st <= 5; end
        end
        5: begin bs_valid <= 1; bs_byte <= luma; n <= n + 1; if (n == 255) begin n <= 0; st <= 6; end end
        6: begin bs_valid <= 1; bs_byte <= chro; n <= n + 1; if (n == 127) begin n <= 0; st <= 7; end end
`ifdef PULL
        7: st <= 10;
`else
        7: begin ext_start <= 1; ext_mode <= 2; st <= 8; end
        8: if (ext_done) begin ext_start <= 1; ext_mode <= 3; st <= 9; end
        9: if (ext_done) st <= 10;
`endif
        10: if (ext_x + 1 == mb_w) begin
          ext_x <= 0;
          if (ext_y + 1 == mb_h) st <= 11; else begin ext_y <= ext_y + 1; st <= 1; end
        end else begin ext_x <= ext_x + 1; st <= 1; end
        11: begin bs_valid <= 1; bs_byte <= 8'h80; st <= 0; sys_idle <= 1; end
        default: st <= 0;
      endcase
    end
endmodule
