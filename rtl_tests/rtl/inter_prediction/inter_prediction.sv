// Inter prediction of a 16x16 partition: luma in quarter samples, chroma in eighths (H.264 8.4.2.2), 4x4 blocks in raster
// order, one a cycle. Samples are rows of a window that the engine reads, a row a cycle, which come a cycle later.
// Model twin: asic_model/engines/inter_prediction/. Bench: rtl_tests/encode_core/.
//
// Luma takes 21 rows and gives its first block 13 cycles after the command; chroma 9 rows a component.

`default_nettype none

module inter_prediction (
    input  wire logic               clk,
    input  wire logic               rst_n,

    input  wire logic               luma_i,         // pulse: predict luma; the vector stands until the last block is out
    input  wire logic               chroma_i,       // pulse: predict Cb, then Cr
    input  wire logic [1:0][13:0]   vector_i,       // quarter samples, [0] x

    output      logic               luma_read_o,
    output      logic [4:0]         luma_row_o,     // 0..23 from two above the partition's first row; 21 on: not used
    input  wire logic [20:0][7:0]   luma_data_i,    // from two samples to the left of its first column on
    output      logic               chroma_read_o,
    output      logic               chroma_plane_o, // 0 Cb, 1 Cr
    output      logic [3:0]         chroma_row_o,   // 0..9; 9: not used
    input  wire logic [8:0][7:0]    chroma_data_i,

    output      logic               out_valid_o,
    output      logic [4:0]         out_block_o,    // 0..15 luma, 16..19 Cb, 20..23 Cr
    output      logic [15:0][7:0]   out_samples_o
);

  // ---- luma ----------------------------------------------------------------------------------------------------------------
  localparam int unsigned AHEAD = 8;   // rows before the first strip of blocks can be filtered
  logic       luma_q;                  // rows are being read
  logic [4:0] row_q;
  logic       read_q, there_q;         // a row comes, has come
  logic [4:0] read_row_q, there_row_q;
  logic [11:0][20:0][7:0] rows_q;      // newest first
  assign luma_read_o = luma_q;
  assign luma_row_o  = row_q;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      luma_q  <= 1'b0;
      row_q   <= '0;
      read_q  <= 1'b0;
      there_q <= 1'b0;
    end else begin
      if (luma_q) begin
        row_q <= row_q + 5'd1;
        if (row_q == 5'd23) luma_q <= 1'b0;
      end
      if (luma_i) begin
        luma_q <= 1'b1;
        row_q  <= '0;
      end
      read_q  <= luma_q;
      there_q <= read_q;
    end
  end
  always_ff @(posedge clk) begin
    read_row_q  <= row_q;
    there_row_q <= read_row_q;
    if (read_q) rows_q <= {rows_q[10:0], luma_data_i};
  end

  logic                 strip, block1_q, block2_q, block3_q;
  logic [3:0]           place, place1_q, place2_q, place3_q;
  logic [8:0][8:0][7:0] area;
  logic [3:0][3:0][7:0] luma;
  assign strip = there_q && there_row_q >= 5'(AHEAD);
  assign place = 4'(there_row_q - 5'(AHEAD));
  always_comb begin
    // the row that came last is place[1:0] beyond the strip's ninth
    for (int unsigned r = 0; r < 9; r++) begin
      for (int unsigned c = 0; c < 9; c++) area[r][c] = rows_q[4'(8-r)+4'(place[1:0])][5'({place[1:0], 2'd0})+5'(c)];
    end
  end
  luma_interpolation #(
      .COLUMNS(4)
  ) i_luma (
      .clk        (clk),
      .area_i     (area),
      .kind_i     ({vector_i[1][1:0], vector_i[0][1:0]}),
      .predicted_o(luma)
  );
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      block1_q <= 1'b0;
      block2_q <= 1'b0;
      block3_q <= 1'b0;
    end else begin
      block1_q <= strip;
      block2_q <= block1_q;
      block3_q <= block2_q;
    end
  end
  always_ff @(posedge clk) begin
    place1_q <= place;
    place2_q <= place1_q;
    place3_q <= place2_q;
  end

  // ---- chroma: a row of eight samples a cycle from two rows ------------------------------------------------------------------
  logic            chroma_q, plane_q, chroma_read_q, filter_q, read_plane_q, filter_plane_q, done_q, done_plane_q;
  logic [3:0]      chroma_row_q, read_chroma_row_q, filter_row_q, done_row_q;
  logic [8:0][7:0] now_q, before_q;
  logic [4:0][7:0][7:0] filtered_q;    // newest first
  assign chroma_read_o  = chroma_q;
  assign chroma_plane_o = plane_q;
  assign chroma_row_o   = chroma_row_q;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      chroma_q      <= 1'b0;
      plane_q       <= 1'b0;
      chroma_row_q  <= '0;
      chroma_read_q <= 1'b0;
      filter_q      <= 1'b0;
      done_q        <= 1'b0;
    end else begin
      if (chroma_q) begin
        chroma_row_q <= chroma_row_q + 4'd1;
        if (chroma_row_q == 4'd9) begin
          chroma_row_q <= '0;
          plane_q      <= !plane_q;
          chroma_q     <= !plane_q;
        end
      end
      if (chroma_i) chroma_q <= 1'b1;
      chroma_read_q <= chroma_q;
      filter_q      <= chroma_read_q;
      done_q        <= filter_q;
    end
  end

  logic [3:0] across, down;            // eighths
  assign across = {1'b0, vector_i[0][2:0]};
  assign down   = {1'b0, vector_i[1][2:0]};
  always_ff @(posedge clk) begin
    read_plane_q      <= plane_q;
    read_chroma_row_q <= chroma_row_q;
    filter_plane_q    <= read_plane_q;
    filter_row_q      <= read_chroma_row_q;
    done_plane_q      <= filter_plane_q;
    done_row_q        <= filter_row_q;
    if (chroma_read_q) begin
      now_q    <= chroma_data_i;
      before_q <= now_q;
    end
    if (filter_q) begin
      filtered_q[4:1] <= filtered_q[3:0];
      for (int unsigned i = 0; i < 8; i++) begin
        logic [11:0] upper, lower;
        upper = 12'(4'd8 - across) * 12'(before_q[i]) + 12'(across) * 12'(before_q[i+1]);
        lower = 12'(4'd8 - across) * 12'(now_q[i]) + 12'(across) * 12'(now_q[i+1]);
        filtered_q[0][i] <= 8'((15'(4'd8 - down) * 15'(upper) + 15'(down) * 15'(lower) + 15'd32) >> 6);
      end
    end
  end

  // Row 1 of a component gives its first row of samples, so with row 4 the upper two blocks are whole, with row 8 the others;
  // the right one goes a cycle later.
  logic       chroma_block, right_block;
  assign right_block  = done_row_q[1:0] == 2'd1;
  assign chroma_block = done_q && done_row_q >= 4'd4 && !done_row_q[1];
  logic [3:0][3:0][7:0] chroma;
  always_comb begin
    for (int unsigned r = 0; r < 4; r++) begin
      for (int unsigned c = 0; c < 4; c++) begin
        chroma[r][c] = right_block ? filtered_q[3'(4-r)][4+c] : filtered_q[3'(3-r)][c];
      end
    end
  end

  assign out_valid_o   = block3_q || chroma_block;
  assign out_block_o   = block3_q ? {1'b0, place3_q} : {2'b10, done_plane_q, done_row_q[3], right_block};
  assign out_samples_o = block3_q ? luma : chroma;

  property p_one_at_a_time;
    @(posedge clk) disable iff (!rst_n || $time == 0) !(block3_q && chroma_block);
  endproperty
  assert property (p_one_at_a_time) else $error("inter_prediction: luma and chroma come at once");

endmodule

`default_nettype wire
