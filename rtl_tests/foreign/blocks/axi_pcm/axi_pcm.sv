// A whole encoder behind AXI4: reads NV12 from memory, writes an H.264 Annex B stream of I_PCM macroblocks back, one IDR
// picture a job: parameter sets, slice header, emulation prevention and all. Addresses and size are written to registers
// over a little bus (sel, we, adr, dat, ack); a write to register 7 begins, `irq` is one cycle at the end.
module axi_pcm #(
    parameter int ADDR = 32
) (
    input  logic            aclk, aresetn,
    // registers: 0 source, 1 stream, 2 macroblocks across - 1, 3 down - 1, 4 idr_pic_id, 7 begin
    input  logic            cfg_sel, cfg_we,
    input  logic [2:0]      cfg_adr,
    input  logic [31:0]     cfg_dat,
    output logic            cfg_ack,
    output logic            irq,
    output logic [31:0]     stream_bytes,
    // AXI4
    output logic [ADDR-1:0] M_AXI_ARADDR,
    output logic [7:0]      M_AXI_ARLEN,
    output logic [2:0]      M_AXI_ARSIZE,
    output logic [1:0]      M_AXI_ARBURST,
    output logic            M_AXI_ARVALID,
    input  logic            M_AXI_ARREADY,
    input  logic [63:0]     M_AXI_RDATA,
    input  logic [1:0]      M_AXI_RRESP,
    input  logic            M_AXI_RLAST, M_AXI_RVALID,
    output logic            M_AXI_RREADY,
    output logic [ADDR-1:0] M_AXI_AWADDR,
    output logic [7:0]      M_AXI_AWLEN,
    output logic [2:0]      M_AXI_AWSIZE,
    output logic [1:0]      M_AXI_AWBURST,
    output logic [2:0]      M_AXI_AWPROT,
    output logic            M_AXI_AWVALID,
    input  logic            M_AXI_AWREADY,
    output logic [63:0]     M_AXI_WDATA,
    output logic [7:0]      M_AXI_WSTRB,
    output logic            M_AXI_WLAST, M_AXI_WVALID,
    input  logic            M_AXI_WREADY,
    input  logic [1:0]      M_AXI_BRESP,
    input  logic            M_AXI_BVALID,
    output logic            M_AXI_BREADY
);
  typedef enum logic [3:0] {IDLE, HEADER, START_CODE, FETCH, FETCHING, MB_TYPE, ALIGN, SAMPLES, NEXT, STOP, FLUSH, DRAIN, DONE} state_t;
  state_t st, back;
  logic [31:0] source, stream;
  logic [7:0] mbs_x, mbs_y, x, y;
  logic idr;

  // ---- header: (value, bits) one after another; ue(v) of 9.1
  function automatic logic [40:0] u(input logic [34:0] value, input int bits);
    return {6'(bits), value};
  endfunction
  function automatic logic [40:0] ue(input logic [8:0] value);
    logic [9:0] code;
    int top;
    code = value + 10'd1;
    top = 0;
    for (int k = 0; k < 10; k++) if (code[k]) top = k;
    return u(35'(code), 2 * top + 1);
  endfunction
  localparam logic [40:0] CODE = '1, STOP_BIT = '1 - 41'd1, END = '1 - 41'd2;   // marks
  logic [5:0] item;
  logic [40:0] word;
  always_comb
    case (item)
      0: word = CODE;
      1: word = u(35'h67_42_C0_28, 32);            // SPS: baseline, level 4
      2: word = ue(0); 3: word = ue(0); 4: word = ue(2);  // id, frame_num in 4 bits, picture order count type 2
      5: word = ue(0); 6: word = u(0, 1); 7: word = ue(9'(mbs_x)); 8: word = ue(9'(mbs_y));
      9: word = u(35'b1000, 4);                    // frames only, no direct 8x8, cropping, VUI
      10: word = STOP_BIT;
      11: word = CODE;
      12: word = u(35'h68, 8);                     // PPS
      13: word = u(35'b11_00_111, 7);              // ids, CAVLC, one slice group, one reference each
      14: word = u(35'b0_00_111_1_0_0, 9);         // no weights, QP 26, deblocking control
      15: word = STOP_BIT;
      16: word = CODE;
      17: word = u(35'h65, 8);                     // IDR slice
      18: word = ue(0); 19: word = ue(7); 20: word = ue(0); 21: word = u(0, 4);
      22: word = ue(9'(idr));
      23: word = u(35'b00_1_010, 6);               // marking, QP delta, deblocking off
      default: word = END;
    endcase

  // ---- bits to bytes, emulation prevention, bytes to words
  logic [6:0] held;
  logic [2:0] count;
  logic byte_v, raw, byte_ack;
  logic [7:0] byte_d;
  logic [1:0] zeros;
  wire escape = !raw && zeros == 2 && byte_d < 4;
  logic [63:0] gather, fifo[8];
  logic [2:0] at;
  logic [3:0] words, sent, burst;
  logic full;
  assign byte_ack = byte_v && !full && !escape;
  logic [40:0] rest;
  logic [5:0] left;                                // bits of `rest` to go
  logic [383:0][7:0] mb;
  logic [8:0] n;
  logic [4:0] row;
  logic beat, closing, w_busy, b_wait;

  assign M_AXI_ARLEN = 1; assign M_AXI_ARSIZE = 3; assign M_AXI_ARBURST = 1; assign M_AXI_RREADY = 1;
  assign M_AXI_AWSIZE = 3; assign M_AXI_AWBURST = 1; assign M_AXI_AWPROT = 0; assign M_AXI_BREADY = 1;
  assign M_AXI_WSTRB = '1; assign M_AXI_AWLEN = 8'(burst - 1);
  assign M_AXI_WDATA = fifo[sent[2:0]];
  assign M_AXI_WLAST = sent == burst - 1;
  assign M_AXI_WVALID = w_busy;
  wire [31:0] pitch = {20'd0, mbs_x, 4'd0} + 16;
  wire [31:0] lines = {20'd0, mbs_y, 4'd0} + 16;

  always_ff @(posedge aclk)
    if (!aresetn) begin
      st <= IDLE; back <= IDLE; irq <= 0; cfg_ack <= 0; stream_bytes <= 0; M_AXI_ARVALID <= 0; M_AXI_AWVALID <= 0; w_busy <= 0;
      b_wait <= 0; byte_v <= 0; raw <= 0; zeros <= 0; count <= 0; held <= 0; at <= 0; words <= 0; full <= 0; item <= 0;
      left <= 0; n <= 0; x <= 0; y <= 0; row <= 0; beat <= 0; closing <= 0; sent <= 0; burst <= 1; byte_d <= 0;
      M_AXI_ARADDR <= 0; M_AXI_AWADDR <= 0; gather <= 0; source <= 0; stream <= 0; mbs_x <= 0; mbs_y <= 0; idr <= 0; rest <= 0;
    end else begin
      irq <= 0;
      cfg_ack <= cfg_sel && !cfg_ack;
      if (cfg_sel && cfg_we && cfg_ack)
        case (cfg_adr)
          0: source <= cfg_dat;
          1: stream <= cfg_dat;
          2: mbs_x <= cfg_dat[7:0];
          3: mbs_y <= cfg_dat[7:0];
          4: idr <= cfg_dat[0];
          7: begin st <= HEADER; item <= 0; x <= 0; y <= 0; stream_bytes <= 0; zeros <= 0; M_AXI_AWADDR <= ADDR'(stream); end
          default: ;
        endcase

      // a byte, or the 3 in front of it, goes into a word
      if (byte_v && !full) begin
        gather <= {escape ? 8'd3 : byte_d, gather[63:8]};
        stream_bytes <= stream_bytes + 1;
        zeros <= escape || raw || byte_d != 0 ? 2'd0 : zeros + 2'd1;
        at <= at + 1;
        if (at == 7) begin
          fifo[words[2:0]] <= {escape ? 8'd3 : byte_d, gather[63:8]};
          words <= words + 1;
          if (words == 7) full <= 1;
        end
        if (!escape) byte_v <= 0;
      end
      // eight words, or the last ones, leave as a burst
      if (!w_busy && !b_wait && !M_AXI_AWVALID && (full || (st == DRAIN && words != 0))) begin
        full <= 1; burst <= words; sent <= 0; M_AXI_AWVALID <= 1; w_busy <= 1;
      end
      if (M_AXI_AWVALID && M_AXI_AWREADY) M_AXI_AWVALID <= 0;
      if (w_busy && M_AXI_WREADY) begin
        sent <= sent + 1;
        if (M_AXI_WLAST) begin w_busy <= 0; b_wait <= 1; end
      end
      if (b_wait && M_AXI_BVALID) begin
        b_wait <= 0; full <= 0; words <= 0; M_AXI_AWADDR <= M_AXI_AWADDR + 64;
      end

      if (M_AXI_ARVALID && M_AXI_ARREADY) M_AXI_ARVALID <= 0;
      if (M_AXI_RVALID) begin
        beat <= !beat;
        for (int k = 0; k < 8; k++)
          if (row < 16) mb[9'(16 * row) + 9'(8 * beat) + 9'(k)] <= M_AXI_RDATA[8*k+:8];
          else mb[9'd256 + 9'(64 * (k % 2)) + 9'(8 * (row - 16)) + 9'(4 * beat) + 9'(k / 2)] <= M_AXI_RDATA[8*k+:8];
      end

      if (!byte_v)
        if (left != 0) begin                       // bits of a code, one a cycle
          left <= left - 1;
          held <= {held[5:0], rest[left-1]};
          count <= count + 1;
          if (count == 7) begin byte_v <= 1; byte_d <= {held, rest[left-1]}; raw <= 0; end
        end else
          case (st)
            HEADER: begin
              item <= item + 1;
              if (word == CODE) begin st <= START_CODE; n <= 0; end
              else if (word == STOP_BIT) begin st <= ALIGN; back <= HEADER; rest <= 41'h1 << 7; left <= 8 - 6'(count); n <= 0; end
              else if (word == END) st <= FETCH;
              else begin rest <= {6'd0, word[34:0]}; left <= word[40:35]; end
              if (word == STOP_BIT) rest <= 41'd1 << (7 - count);
            end
            START_CODE: begin
              byte_v <= 1; raw <= 1; byte_d <= n == 3 ? 8'd1 : 8'd0; n <= n + 1;
              if (n == 3) st <= HEADER;
            end
            FETCH: begin row <= 0; beat <= 0; M_AXI_ARVALID <= 1; M_AXI_ARADDR <= ADDR'(source + {20'd0, y, 4'd0} * pitch + {20'd0, x, 4'd0}); st <= FETCHING; end
            FETCHING: if (M_AXI_RVALID && M_AXI_RLAST) begin
              row <= row + 1;
              if (row == 23) st <= MB_TYPE;
              else begin
                M_AXI_ARVALID <= 1;
                M_AXI_ARADDR <= row == 15 ? ADDR'(source + (lines + {21'd0, y, 3'd0}) * pitch + {20'd0, x, 4'd0})
                                          : M_AXI_ARADDR + ADDR'(pitch);
              end
            end
            MB_TYPE: begin rest <= 41'(26); left <= 9; st <= ALIGN; back <= SAMPLES; n <= 0; end
            ALIGN: begin
              if (count != 0) begin rest <= 0; left <= 6'd8 - 6'(count); end
              st <= back; n <= 0;
            end
            SAMPLES: begin
              byte_v <= 1; raw <= 0; byte_d <= mb[n]; n <= n + 1;
              if (n == 383) st <= NEXT;
            end
            NEXT: if (x == mbs_x) begin
              x <= 0; y <= y + 1;
              st <= y == mbs_y ? STOP : FETCH;
            end else begin x <= x + 1; st <= FETCH; end
            STOP: begin byte_v <= 1; raw <= 0; byte_d <= 8'h80; st <= FLUSH; end
            FLUSH: if (!full)
              if (at == 0) st <= DRAIN;
              else begin                           // zeros behind the stream fill its last word
                gather <= {8'd0, gather[63:8]}; at <= at + 1;
                if (at == 7) begin fifo[words[2:0]] <= {8'd0, gather[63:8]}; words <= words + 1; if (words == 7) full <= 1; end
              end
            DRAIN: if (words == 0 && !full && !b_wait && !w_busy) st <= DONE;
            DONE: begin irq <= 1; st <= IDLE; end
            default: ;
          endcase
    end
endmodule
