// Reference store of the encode core: the part of the reference picture that vectors of the macroblock at work can reach, in
// SRAM. It is filled column by column, a macroblock wide, over the core's read port, edges repeated beyond the picture.
//
//   luma     columns of 16 samples, 54 rows from 19 above the macroblock
//   chroma   the same columns, eight samples wide, 26 rows from 9 above
//   quarter  means of 4x4 luma samples, 11 rows from 16 samples above
//   motion   the vector of the reference's macroblock, where the job names its motion
//
// The macroblock at work can reach seven columns, three to each side of its own. Columns stand in a ring of sixteen: nine
// more come in meanwhile, so the seven of a row's first macroblock are there when the row above ends. Whole words also
// go to the motion search's window.

`default_nettype none

module encode_core_reference
  import encode_core_pkg::*;
#(
    parameter int unsigned READS_MAX = 64  // reads under way
) (
    input  wire logic               clk,
    input  wire logic               rst_n,

    input  wire logic               start_i,        // pulse: a P picture begins; the rest stands until its end
    input  wire surface_t           surface_i,
    input  wire logic [31:0]        motion_address_i,  // 0: none
    input  wire logic [8:0]         mb_width_i,
    input  wire logic [8:0]         mb_height_i,

    output      logic               read_valid_o,
    input  wire logic               read_ready_i,
    output      logic [31:0]        read_address_o,
    input  wire logic               read_data_valid_i,
    input  wire logic [7:0][7:0]    read_data_i,

    input  wire store_ask_t         ask_i,
    output      store_read_t        store_o
);

  localparam int unsigned LUMA_ROWS    = 54;  // 16 + 2 * 16, a fraction's row and the filter's taps
  localparam int unsigned CHROMA_ROWS  = 26;
  localparam int unsigned SEARCH_ROW   = 3;   // first row of the search's window
  localparam int unsigned SEARCH_ROWS  = 48;
  localparam int unsigned QUARTER_ROWS = 44;  // rows that have means
  localparam int unsigned RING         = 16;
  localparam int unsigned REACH        = 7;   // columns
  localparam int unsigned COUNT_W      = $clog2(READS_MAX + 1);

  // ---- places: rows of a column, luma, Cb, Cr; a column inside the picture has two words a luma row ---------------------------
  typedef logic signed [9:0] column_t;
  localparam column_t FIRST = -10'sd3, BEYOND = 10'sd3;
  typedef struct packed {
    logic [8:0] mb_y;
    column_t    column;
    logic [4:0] number;  // of the column, counted through the picture modulo 32
    logic [1:0] plane;   // 0 Y, 1 Cb, 2 Cr, 3 motion: columns inside the picture
    logic [5:0] row;
    logic       half;
  } place_t;

  function automatic logic in_picture(input column_t column, input logic [8:0] mb_width);
    return column >= 0 && column < column_t'({1'b0, mb_width});
  endfunction

  function automatic place_t next_place(input place_t place, input logic [8:0] mb_width, input logic with_motion);
    logic moving;
    next_place = place;
    moving     = with_motion && in_picture(place.column, mb_width);
    if (place.plane == 2'd0 && !place.half && in_picture(place.column, mb_width)) begin
      next_place.half = 1'b1;
    end else begin
      next_place.half = 1'b0;
      next_place.row  = place.row + 6'd1;
      if (place.row == (place.plane == 2'd0 ? 6'(LUMA_ROWS - 1) : place.plane == 2'd3 ? 6'd0 : 6'(CHROMA_ROWS - 1))) begin
        next_place.row   = '0;
        next_place.plane = place.plane + 2'd1;
        if (place.plane == 2'd3 || (place.plane == 2'd2 && !moving)) begin
          next_place.plane  = 2'd0;
          next_place.column = place.column + 10'sd1;
          next_place.number = place.number + 5'd1;
          if (place.column == column_t'({1'b0, mb_width}) - 10'sd1 + BEYOND) begin
            next_place.column = FIRST;
            next_place.mb_y   = place.mb_y + 9'd1;
          end
        end
      end
    end
  endfunction

  logic [8:0] x_q;            // column of the macroblock at work
  logic [4:0] first_q;        // number of the first column that it reaches
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      x_q     <= '0;
      first_q <= '0;
    end else if (start_i) begin
      x_q     <= '0;
      first_q <= '0;
    end else if (ask_i.next) begin
      x_q     <= x_q + 9'd1;
      first_q <= first_q + 5'd1;
      if (x_q + 9'd1 == mb_width_i) begin
        x_q     <= '0;
        first_q <= first_q + 5'(REACH);
      end
    end
  end

  // ---- addresses -------------------------------------------------------------------------------------------------------------
  place_t             ask_q, take_q;
  logic               active_q;
  logic [COUNT_W-1:0] pending_q;
  logic               all_asked, issue;
  logic [3:0]         own_place;
  logic [4:0]         asked, taken;  // columns beyond the first one
  logic [31:0]        address;
  always_comb begin
    logic signed [13:0] y, last;
    logic [31:0]        line, x;
    last = $signed({1'b0, mb_height_i, 4'd0}) - 14'sd1;
    y    = $signed({1'b0, ask_q.mb_y, 4'd0}) - 14'sd19 + $signed({8'd0, ask_q.row});
    x    = {18'd0, ask_q.column, ask_q.half, 3'd0};
    if (ask_q.column < 0) x = '0;
    if (ask_q.column >= column_t'({1'b0, mb_width_i})) x = {19'd0, mb_width_i, 4'd0} - 32'd8;
    if (ask_q.plane != 2'd0) begin
      last = $signed({2'b0, mb_height_i, 3'd0}) - 14'sd1;
      y    = $signed({2'b0, ask_q.mb_y, 3'd0}) - 14'sd9 + $signed({8'd0, ask_q.row});
      x    = {19'd0, ask_q.column, 3'd0};
      if (ask_q.column < 0) x = '0;
      if (ask_q.column >= column_t'({1'b0, mb_width_i})) x = {20'd0, mb_width_i, 3'd0} - 32'd8;
    end
    if (y < 0) y = '0;
    if (y > last) y = last;
    line    = 32'(unsigned'(y)) * 32'(ask_q.plane == 2'd0 ? surface_i.pitch : surface_i.chroma_pitch);
    address = (ask_q.plane == 2'd0 ? surface_i.y : ask_q.plane == 2'd1 ? surface_i.cb : surface_i.cr) + line + x;
    if (ask_q.plane == 2'd3) begin
      address = motion_address_i + {32'(ask_q.mb_y) * 32'(mb_width_i) + 32'(ask_q.column)} * 32;
    end
  end
  assign asked = ask_q.number - first_q;
  assign taken = take_q.number - first_q;
  assign all_asked = ask_q.mb_y == mb_height_i;
  assign issue     = active_q && !all_asked && asked < 5'(RING) && (!read_valid_o || read_ready_i) &&
                     pending_q < COUNT_W'(READS_MAX);
  assign store_o.whole = taken >= 5'(REACH);
  assign own_place     = 4'(first_q) + 4'(REACH / 2);
  assign store_o.place = own_place;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      active_q     <= 1'b0;
      ask_q        <= '0;
      take_q       <= '0;
      read_valid_o <= 1'b0;
      pending_q    <= '0;
    end else begin
      if (read_ready_i) read_valid_o <= 1'b0;
      if (issue) begin
        read_valid_o <= 1'b1;
        ask_q        <= next_place(ask_q, mb_width_i, motion_address_i != 0);
      end
      if (read_data_valid_i) take_q <= next_place(take_q, mb_width_i, motion_address_i != 0);
      pending_q <= pending_q + COUNT_W'(issue) - COUNT_W'(read_data_valid_i);
      if (all_asked) active_q <= 1'b0;
      if (start_i) begin
        active_q     <= 1'b1;
        ask_q        <= '{mb_y: '0, column: FIRST, number: '0, plane: '0, row: '0, half: 1'b0};
        take_q       <= '{mb_y: '0, column: FIRST, number: '0, plane: '0, row: '0, half: 1'b0};
      end
    end
  end
  always_ff @(posedge clk) if (issue) read_address_o <= address;

  // ---- words into the store ------------------------------------------------------------------------------------------------------
  logic [7:0][7:0]  left_q, filled;     // left half of a luma word; a word with the picture's edge repeated
  logic             take_inside, luma_write;
  logic [15:0][7:0] luma_word;
  assign take_inside = in_picture(take_q.column, mb_width_i);
  always_comb begin
    filled = read_data_i;
    if (!take_inside) filled = {8{take_q.column < 0 ? read_data_i[0] : read_data_i[7]}};
    luma_word = take_inside ? {read_data_i, left_q} : {filled, filled};
  end
  assign luma_write = read_data_valid_i && take_q.plane == 2'd0 && (take_q.half || !take_inside);
  always_ff @(posedge clk) if (read_data_valid_i && !take_q.half) left_q <= read_data_i;

  logic [3:0] take_word;
  assign take_word      = take_q.number[3:0];
  assign store_o.window_valid = luma_write && take_q.row >= 6'(SEARCH_ROW) && take_q.row < 6'(SEARCH_ROW + SEARCH_ROWS);
  assign store_o.window_row   = take_q.row - 6'(SEARCH_ROW);
  assign store_o.window_word  = take_word;
  assign store_o.window_data  = luma_word;

  // Luma: four memories by the column's place, so that any 22 samples of a row are read at once
  logic [3:0][15:0][7:0] luma_words;
  logic [5:0]            luma_x_q;
  for (genvar bank = 0; bank < 4; bank++) begin : g_luma
    logic [1:0] quarter;  // of the ring
    assign quarter = ask_i.luma_x[7:6] + 2'(3'(ask_i.luma_x[5:4]) + 3'(3 - bank) > 3'd3);
    sram_1r1w #(
        .DATA_W(128),
        .WORDS (256)
    ) i_memory (
        .clk            (clk),
        .write_i        (luma_write && take_word[1:0] == 2'(bank)),
        .write_address_i({take_word[3:2], take_q.row}),
        .write_data_i   (luma_word),
        .read_i         (ask_i.luma_read),
        .read_address_i ({quarter, ask_i.luma_row}),
        .read_data_o    (luma_words[bank])
    );
  end
  always_ff @(posedge clk) if (ask_i.luma_read) luma_x_q <= ask_i.luma_x[5:0];
  always_comb begin
    logic [47:0][7:0] row;
    for (int unsigned i = 0; i < 3; i++) row[16*i+:16] = luma_words[luma_x_q[5:4]+2'(i)];
    store_o.luma = row[6'(luma_x_q[3:0])+:22];
  end

  // Chroma: two memories a component by the column's parity
  logic [1:0][1:0][7:0][7:0] chroma_words;  // [component][parity]
  logic [3:0]                chroma_x_q;
  logic                      chroma_plane_q;
  for (genvar component = 0; component < 2; component++) begin : g_chroma
    for (genvar parity = 0; parity < 2; parity++) begin : g_parity
      logic [2:0] pair;  // of the ring's columns
      assign pair = ask_i.chroma_x[6:4] + 3'(ask_i.chroma_x[3] && parity == 0);
      sram_1r1w #(
          .DATA_W(64),
          .WORDS (256)
      ) i_memory (
          .clk            (clk),
          .write_i        (read_data_valid_i && take_q.plane == 2'(component + 1) && take_word[0] == 1'(parity)),
          .write_address_i({take_word[3:1], take_q.row[4:0]}),
          .write_data_i   (filled),
          .read_i         (ask_i.chroma_read && ask_i.chroma_plane == 1'(component)),
          .read_address_i ({pair, ask_i.chroma_row}),
          .read_data_o    (chroma_words[component][parity])
      );
    end
  end
  always_ff @(posedge clk) begin
    if (ask_i.chroma_read) begin
      chroma_x_q     <= ask_i.chroma_x[3:0];
      chroma_plane_q <= ask_i.chroma_plane;
    end
  end
  always_comb begin
    logic [15:0][7:0] row;
    row      = {chroma_words[chroma_plane_q][!chroma_x_q[3]], chroma_words[chroma_plane_q][chroma_x_q[3]]};
    store_o.chroma = row[4'(chroma_x_q[2:0])+:9];
  end

  // Motion: the first quadrant's vector
  logic [RING-1:0][31:0] colocated_q;
  always_ff @(posedge clk) if (read_data_valid_i && take_q.plane == 2'd3) colocated_q[take_word] <= read_data_i[3:0];
  assign store_o.colocated = colocated_q[own_place];

  // Means of 4x4: rows of four are summed up as they come
  logic [3:0][11:0]     sums_q, sums;
  logic [5:0]           mean_row;
  logic                 mean_counts;
  logic [3:0][7:0]      means;
  logic [15:0][3:0][7:0] quarter_words;
  logic [5:0]            quarter_x_q;
  assign mean_row    = take_q.row - 6'(SEARCH_ROW);
  assign mean_counts = luma_write && take_q.row >= 6'(SEARCH_ROW) && take_q.row < 6'(SEARCH_ROW + QUARTER_ROWS);
  always_comb begin
    for (int unsigned i = 0; i < 4; i++) begin
      sums[i] = mean_row[1:0] == 0 ? 12'd8 : sums_q[i];
      for (int unsigned k = 0; k < 4; k++) sums[i] = sums[i] + 12'(luma_word[4*i+k]);
      means[i] = sums[i][11:4];
    end
  end
  always_ff @(posedge clk) if (mean_counts) sums_q <= sums;
  for (genvar column = 0; column < RING; column++) begin : g_quarter
    sram_1r1w #(
        .DATA_W(32),
        .WORDS (16)
    ) i_memory (
        .clk            (clk),
        .write_i        (mean_counts && mean_row[1:0] == 2'd3 && take_word == 4'(column)),
        .write_address_i(mean_row[5:2]),
        .write_data_i   (means),
        .read_i         (ask_i.quarter_read),
        .read_address_i (ask_i.quarter_row),
        .read_data_o    (quarter_words[column])
    );
  end
  always_ff @(posedge clk) if (ask_i.quarter_read) quarter_x_q <= ask_i.quarter_x;
  always_comb begin
    logic [63:0][7:0] row;
    row = quarter_words;
    for (int unsigned i = 0; i < 19; i++) store_o.quarter[i] = row[quarter_x_q+6'(i)];
  end

  property p_read_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) read_valid_o && !read_ready_i |=> read_valid_o && $stable(read_address_o);
  endproperty
  assert property (p_read_stable) else $error("encode_core_reference: read changed while it waited");
  property p_whole;
    @(posedge clk) disable iff (!rst_n || $time == 0) ask_i.luma_read || ask_i.chroma_read || ask_i.quarter_read |-> store_o.whole;
  endproperty
  assert property (p_whole) else $error("encode_core_reference: read before the store holds what is asked for");

endmodule

`default_nettype wire
