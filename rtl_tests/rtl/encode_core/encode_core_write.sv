// Write stage of the encode core: deblocked blocks into the reconstruction, four bytes a write, the bytes of the slice behind
// a start code, eight a write, and the motion records of macroblocks. The stream goes first, motion last.

`default_nettype none

module encode_core_write
  import encode_core_pkg::*;
(
    input  wire logic            clk,
    input  wire logic            rst_n,

    input  wire logic            start_i,       // pulse; the rest stands until the picture's end
    input  wire surface_t        surface_i,
    input  wire logic [31:0]     out_address_i,
    input  wire logic [31:0]     out_capacity_i,
    input  wire logic [31:0]     motion_address_i,  // 0: not wanted
    input  wire logic [15:0]     ref_poc_i,
    input  wire logic            record_valid_i,
    output      logic            record_ready_o,    // there is room, whether one comes or not
    /* verilator lint_off UNUSEDSIGNAL */           // motion alone counts
    input  wire record_t         record_i,
    /* verilator lint_on UNUSEDSIGNAL */

    input  wire logic            block_valid_i,
    output      logic            block_ready_o,
    input  wire logic [1:0]      block_plane_i,  // 0 Y, 1 Cb, 2 Cr
    input  wire logic [10:0]     block_x_i,      // place in the plane, 4x4 blocks
    input  wire logic [10:0]     block_y_i,
    input  wire block_t          block_i,

    input  wire logic            byte_valid_i,
    output      logic            byte_ready_o,
    input  wire logic [7:0]      byte_i,
    input  wire logic            byte_last_i,

    output      logic            write_valid_o,
    input  wire logic            write_ready_i,
    output      logic [31:0]     write_address_o,
    output      logic [7:0][7:0] write_data_o,
    output      logic [7:0]      write_strobe_o,

    output      logic            idle_o,         // nothing is left to be written
    output      logic            ended_o,        // the slice's last byte has come
    output      logic            full_o,         // the stream did not fit
    output      logic [31:0]     bytes_o         // of the stream so far
);

  // ---- stream: bytes to words -----------------------------------------------------------------------------------------
  logic [7:0][7:0] word_q;
  logic [7:0]      filled_q;    // bytes of it that are there
  logic [28:0]     place_q;     // of the word, from out_address_i on
  logic            ready_q;     // the word waits to be written
  logic            take, fits, word_goes, row_goes, free;
  assign fits         = bytes_o < out_capacity_i;
  assign byte_ready_o = !ready_q;
  assign take         = byte_valid_i && byte_ready_o;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      filled_q <= '0;
      place_q  <= '0;
      ready_q  <= 1'b0;
      ended_o  <= 1'b0;
      full_o   <= 1'b0;
      bytes_o  <= '0;
    end else if (start_i) begin
      filled_q <= 8'h0f;
      place_q  <= '0;
      ready_q  <= 1'b0;
      ended_o  <= 1'b0;
      full_o   <= 1'b0;
      bytes_o  <= 32'd4;
    end else begin
      if (take) begin
        if (fits) begin
          filled_q[bytes_o[2:0]] <= 1'b1;
          bytes_o                <= bytes_o + 32'd1;
        end else begin
          full_o <= 1'b1;
        end
        ready_q <= byte_last_i || (fits && bytes_o[2:0] == 3'd7);
        ended_o <= byte_last_i;
      end
      if (word_goes) begin
        ready_q  <= 1'b0;
        filled_q <= '0;
        place_q  <= place_q + 29'd1;
      end
    end
  end
  always_ff @(posedge clk) begin
    if (start_i) word_q <= 64'h0000_0000_0100_0000;  // start code
    else if (take && fits) word_q[bytes_o[2:0]] <= byte_i;
  end

  // ---- reconstruction: blocks to rows -----------------------------------------------------------------------------------
  block_t      rows_q;
  logic [2:0]  left_q;         // rows still to be written
  logic        odd_q;          // right half of its eight bytes
  logic [31:0] address_q;
  logic [12:0] pitch_q;
  logic [31:0] plane_address;
  logic [12:0] pitch;
  assign block_ready_o = left_q == 0 || (left_q == 3'd1 && row_goes);
  assign pitch         = block_plane_i == 2'd0 ? surface_i.pitch : surface_i.chroma_pitch;
  always_comb begin
    unique case (block_plane_i)
      2'd0:    plane_address = surface_i.y;
      2'd1:    plane_address = surface_i.cb;
      default: plane_address = surface_i.cr;
    endcase
  end
  always_ff @(posedge clk) begin
    if (!rst_n) left_q <= '0;
    else if (block_valid_i && block_ready_o) left_q <= 3'd4;
    else if (row_goes) left_q <= left_q - 3'd1;
  end
  always_ff @(posedge clk) begin
    if (block_valid_i && block_ready_o) begin
      rows_q    <= block_i;
      odd_q     <= block_x_i[0];
      pitch_q   <= pitch;
      address_q <= plane_address + 32'({block_y_i, 2'd0}) * 32'(pitch) + 32'({block_x_i[10:1], 3'd0});
    end else if (row_goes) begin
      rows_q    <= block_t'({32'd0, rows_q[15:4]});
      address_q <= address_q + 32'(pitch_q);
    end
  end

  // ---- motion: four words a macroblock (asic_model/cores/encode/motion.py) --------------------------------------------------
  localparam logic [15:0] NO_PICTURE = 16'h8000;
  logic [2:0]  motion_left_q;   // words of the record
  logic [31:0] motion_place_q;
  logic        inter_q;
  vector_t     vector_q;
  logic [63:0] motion_word;
  logic [15:0] picture;
  logic        motion_goes;
  assign record_ready_o = motion_left_q == 0;
  assign picture        = inter_q ? ref_poc_i : NO_PICTURE;
  always_comb begin
    unique case (motion_left_q[1:0])  // four words to go, then three ...
      2'd2:    motion_word = {picture, picture, {32{!inter_q}}};
      2'd1:    motion_word = {32'd0, picture, picture};
      default: motion_word = inter_q ? {2{16'($signed(vector_q[1])), 16'($signed(vector_q[0]))}} : '0;
    endcase
  end
  always_ff @(posedge clk) begin
    if (!rst_n) motion_left_q <= '0;
    else if (record_valid_i && motion_address_i != 0) motion_left_q <= 3'd4;
    else if (motion_goes) motion_left_q <= motion_left_q - 3'd1;
  end
  always_ff @(posedge clk) begin
    if (start_i) motion_place_q <= motion_address_i;
    else if (motion_goes) motion_place_q <= motion_place_q + 32'd8;
    if (record_valid_i) begin
      inter_q  <= record_i.inter;
      vector_q <= record_i.vector;
    end
  end

  // ---- the port ---------------------------------------------------------------------------------------------------------
  assign free      = !write_valid_o || write_ready_i;
  assign word_goes = free && ready_q;
  assign row_goes  = free && !ready_q && left_q != 0;
  assign motion_goes = free && !ready_q && left_q == 0 && motion_left_q != 0;
  always_ff @(posedge clk) begin
    if (!rst_n) write_valid_o <= 1'b0;
    else if (free) write_valid_o <= ready_q ? filled_q != 0 : left_q != 0 || motion_left_q != 0;
  end
  always_ff @(posedge clk) begin
    if (free) begin
      if (ready_q) begin
        write_address_o <= out_address_i + {place_q, 3'd0};
        write_data_o    <= word_q;
        write_strobe_o  <= filled_q;
      end else if (left_q != 0) begin
        write_address_o <= address_q;
        write_data_o    <= {rows_q[3:0], rows_q[3:0]};
        write_strobe_o  <= odd_q ? 8'hf0 : 8'h0f;
      end else begin
        write_address_o <= motion_place_q;
        write_data_o    <= motion_word;
        write_strobe_o  <= 8'hff;
      end
    end
  end
  assign idle_o = !write_valid_o && !ready_q && left_q == 0 && motion_left_q == 0;

  property p_record_taken;
    @(posedge clk) disable iff (!rst_n || $time == 0) record_valid_i |-> record_ready_o;
  endproperty
  assert property (p_record_taken) else $error("encode_core_write: a motion record comes before the last one is written");
  property p_write_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) write_valid_o && !write_ready_i |=>
        write_valid_o && $stable(write_address_o) && $stable(write_data_o) && $stable(write_strobe_o);
  endproperty
  assert property (p_write_stable) else $error("encode_core_write: write changed while it waited");

endmodule

`default_nettype wire
