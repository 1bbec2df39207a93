// Fetch stage of the encode core: reads the source of a picture, macroblock after macroblock, and hands it on as 4x4
// blocks (luma in raster order, Cb, Cr). Edges are repeated up to whole macroblocks.
//
// Words of eight bytes, a macroblock's 48 in the order of its rows. At most READS_MAX are under way or wait in the buffer.

`default_nettype none

module encode_core_fetch
  import encode_core_pkg::*;
#(
    parameter int unsigned READS_MAX = 16  // reads under way, a power of two
) (
    input  wire logic        clk,
    input  wire logic        rst_n,

    input  wire logic        start_i,        // pulse: a picture begins; the rest stands until its last block is taken
    input  wire surface_t    surface_i,
    input  wire logic [12:0] width_i,
    input  wire logic [12:0] height_i,
    input  wire logic [8:0]  mb_width_i,
    input  wire logic [8:0]  mb_height_i,

    output      logic        read_valid_o,
    input  wire logic        read_ready_i,
    output      logic [31:0] read_address_o,
    input  wire logic        read_data_valid_i,
    input  wire logic [7:0][7:0] read_data_i,

    output      logic        block_valid_o,
    input  wire logic        block_ready_i,
    output      block_t      block_o
);

  localparam int unsigned COUNT_W = $clog2(READS_MAX + 1);

  // Place of a word in the picture; a strip is four rows: four of luma, two of Cb, two of Cr.
  typedef struct packed {
    logic [8:0] mb_y;
    logic [8:0] mb_x;
    logic [2:0] strip;
    logic [1:0] row;
    logic       half;
  } place_t;

  function automatic place_t next_place(input place_t place, input logic [8:0] mb_width);
    next_place = place;
    if (!place.strip[2] && !place.half) begin
      next_place.half = 1'b1;
    end else begin
      next_place.half = 1'b0;
      next_place.row  = place.row + 2'd1;
      if (place.row == 2'd3) begin
        next_place.strip = place.strip + 3'd1;
        if (place.strip == 3'd7) begin
          next_place.mb_x = place.mb_x + 9'd1;
          if (place.mb_x + 9'd1 == mb_width) begin
            next_place.mb_x = '0;
            next_place.mb_y = place.mb_y + 9'd1;
          end
        end
      end
    end
  endfunction

  // ---- addresses -----------------------------------------------------------------------------------------------------
  place_t             ask_q;
  logic               asking_q;
  logic [COUNT_W-1:0] reserved_q;   // words asked for and not yet taken out of the buffer
  logic               issue, pop;
  logic [31:0]        address;
  always_comb begin
    logic [12:0] y, last;
    if (!ask_q.strip[2]) begin
      y       = {ask_q.mb_y, 4'd0} + {9'd0, ask_q.strip[1:0], ask_q.row};
      last    = height_i - 13'd1;
      address = surface_i.y + 32'(y < last ? y : last) * 32'(surface_i.pitch) + {19'd0, ask_q.mb_x, ask_q.half, 3'd0};
    end else begin
      y       = {1'b0, ask_q.mb_y, 3'd0} + {10'd0, ask_q.strip[0], ask_q.row};
      last    = (height_i >> 1) - 13'd1;
      address = (ask_q.strip[1] ? surface_i.cr : surface_i.cb) + 32'(y < last ? y : last) * 32'(surface_i.chroma_pitch) +
                {20'd0, ask_q.mb_x, 3'd0};
    end
  end
  assign issue = asking_q && (!read_valid_o || read_ready_i) && reserved_q < COUNT_W'(READS_MAX);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      asking_q     <= 1'b0;
      ask_q        <= '0;
      read_valid_o <= 1'b0;
      reserved_q   <= '0;
    end else begin
      if (start_i) begin
        asking_q <= 1'b1;
        ask_q    <= '0;
      end
      if (read_ready_i) read_valid_o <= 1'b0;
      if (issue) begin
        read_valid_o <= 1'b1;
        ask_q        <= next_place(ask_q, mb_width_i);
        if (ask_q.strip == 3'd7 && ask_q.row == 2'd3 && ask_q.mb_x + 9'd1 == mb_width_i &&
            ask_q.mb_y + 9'd1 == mb_height_i) begin
          asking_q <= 1'b0;
        end
      end
      reserved_q <= reserved_q + COUNT_W'(issue) - COUNT_W'(pop);
    end
  end
  always_ff @(posedge clk) if (issue) read_address_o <= address;

  logic [7:0][7:0]                     word;
  logic [$clog2(READS_MAX+1)-1:0]      words;
  logic                                room;
  fifo #(
      .DATA_W(64),
      .DEPTH (READS_MAX)
  ) i_words (
      .clk         (clk),
      .rst_n       (rst_n),
      .push_i      (read_data_valid_i),
      .push_ready_o(room),
      .push_data_i (read_data_i),
      .count_o     (words),
      .pop_i       (pop),
      .pop_data_o  (word)
  );

  // ---- words to strips, strips to blocks --------------------------------------------------------------------------------
  place_t                take_q;
  logic [3:0][15:0][7:0] rows_q;      // the strip that is coming in
  logic                  whole_q;     // it is complete
  logic                  whole_luma_q;
  logic [7:0]            edge_q;      // last sample of the word before
  logic [7:0][7:0]       filled;
  block_t [3:0]          out_q;
  logic [2:0]            out_count_q;
  logic                  move;
  assign pop  = words != 0 && !whole_q;
  assign move = whole_q && (out_count_q == 0 || (out_count_q == 3'd1 && block_ready_i));

  always_comb begin
    logic signed [13:0] present;  // samples of this word and behind it that the picture has
    logic        [7:0]  held;
    if (!take_q.strip[2]) present = $signed({1'b0, width_i}) - $signed({1'b0, take_q.mb_x, take_q.half, 3'd0});
    else present = $signed({2'b0, width_i[12:1]}) - $signed({2'b0, take_q.mb_x, 3'd0});
    held = edge_q;
    for (int unsigned i = 0; i < 8; i++) begin
      if ($signed(14'(i)) < present) held = word[i];
      filled[i] = held;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      take_q       <= '0;
      whole_q      <= 1'b0;
      out_count_q  <= '0;
    end else begin
      if (start_i) take_q <= '0;
      else if (pop) take_q <= next_place(take_q, mb_width_i);
      if (pop && take_q.row == 2'd3 && (take_q.strip[2] || take_q.half)) whole_q <= 1'b1;
      else if (move) whole_q <= 1'b0;
      if (move) out_count_q <= whole_luma_q ? 3'd4 : 3'd2;
      else if (block_valid_o && block_ready_i) out_count_q <= out_count_q - 3'd1;
    end
  end
  always_ff @(posedge clk) begin
    if (pop) begin
      rows_q[take_q.row][{take_q.half, 3'd0}+:8] <= filled;
      edge_q                                     <= filled[7];
      whole_luma_q                               <= !take_q.strip[2];
    end
    if (move) begin
      for (int unsigned b = 0; b < 4; b++) begin
        for (int unsigned i = 0; i < 16; i++) out_q[b][i] <= rows_q[i/4][4*b+i%4];
      end
    end else if (block_valid_o && block_ready_i) begin
      out_q <= {out_q[3], out_q[3:1]};
    end
  end
  assign block_valid_o = out_count_q != 0;
  assign block_o       = out_q[0];

  // ---- handshakes ------------------------------------------------------------------------------------------------------
  property p_read_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) read_valid_o && !read_ready_i |=> read_valid_o && $stable(read_address_o);
  endproperty
  assert property (p_read_stable) else $error("encode_core_fetch: read changed while it waited");
  property p_room;
    @(posedge clk) disable iff (!rst_n || $time == 0) read_data_valid_i |-> room;
  endproperty
  assert property (p_room) else $error("encode_core_fetch: data that was not asked for");
  property p_block_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) block_valid_o && !block_ready_i |=> block_valid_o && $stable(block_o);
  endproperty
  assert property (p_block_stable) else $error("encode_core_fetch: block changed while it waited");

endmodule

`default_nettype wire
