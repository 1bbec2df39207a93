// Deblocking engine: boundary strengths and the in-loop filter, one macroblock at a time (H.264 8.7).
// Model twin: asic_model/engines/deblock/. Bench: rtl_tests/deblock/.
//
// Macroblocks come in raster order: a record with its vectors, and 24 blocks of 4x4 samples (luma in raster order, Cb,
// Cr). A four-sample piece of an edge is filtered in a cycle, 48 a macroblock, whatever its strength. The four rows above
// stand in a line buffer, the four columns to the left in registers. Finished blocks leave with their place in the
// picture: a macroblock finishes the right column of its left and the bottom row of its upper neighbour, and its own
// blocks but those two; the picture's last column and row finish with it.
//
// The next macroblock's blocks are taken in, and the last one's put out, while one is filtered.

`default_nettype none

module deblock
  import deblock_pkg::*;
  import deblock_tables_pkg::*;
#(
    parameter int unsigned MB_WIDTH_MAX = 256  // widest picture, macroblocks
) (
    input  wire logic        clk,
    input  wire logic        rst_n,

    input  wire logic        mb_valid_i,
    output      logic        mb_ready_o,
    input  wire macroblock_t mb_i,
    input  wire motion_t     mb_motion_i,
    input  wire logic [8:0]  mb_x_i,
    input  wire logic [8:0]  mb_y_i,
    input  wire logic [8:0]  mb_width_i,     // picture, macroblocks
    input  wire logic [8:0]  mb_height_i,

    input  wire logic        block_valid_i,
    output      logic        block_ready_o,
    input  wire block_t      block_i,

    output      logic        out_valid_o,
    input  wire logic        out_ready_i,
    output      logic [1:0]  out_plane_o,    // 0 Y, 1 Cb, 2 Cr
    output      logic [10:0] out_x_o,        // place in the plane, 4x4 blocks
    output      logic [10:0] out_y_o,
    output      block_t      out_samples_o,

    output      logic        mb_end_o        // pulse: a macroblock has been filtered
);

  localparam int unsigned COLUMN_W = $clog2(MB_WIDTH_MAX);
  localparam int unsigned PIECES   = 48;
  localparam int unsigned BLOCKS   = 24;
  localparam int unsigned SLOTS    = 43;  // 5x5 and two 3x3 blocks around a macroblock

  if (MB_WIDTH_MAX < 2 || MB_WIDTH_MAX > 256) begin : g_parameter_check
    $fatal(1, "deblock: MB_WIDTH_MAX is %0d, 2 to 256 are allowed", MB_WIDTH_MAX);
  end

  typedef enum logic [1:0] {S_LOAD, S_TAKE, S_FILTER, S_STORE} state_e;
  state_e state_q;

  // ---- blocks in ---------------------------------------------------------------------------------------------------------
  block_t     in_q [BLOCKS];
  logic [4:0] in_count_q;
  logic       in_full;
  assign in_full       = in_count_q == 5'(BLOCKS);
  assign block_ready_o = !in_full;
  always_ff @(posedge clk) if (block_valid_i && block_ready_o) in_q[in_count_q] <= block_i;
  always_ff @(posedge clk) begin
    if (!rst_n) in_count_q <= '0;
    else if (state_q == S_TAKE) in_count_q <= '0;
    else if (block_valid_i && block_ready_o) in_count_q <= in_count_q + 5'd1;
  end

  // ---- the macroblock at work: [row][column] of blocks, row 0 above, column 0 to the left -----------------------------------
  block_t [4:0][4:0]      luma_q;
  block_t [1:0][2:0][2:0] chroma_q;
  macroblock_t            mb_q;
  motion_t                motion_q;
  logic [8:0]             x_q, y_q;
  logic                   last_column_q, last_row_q;
  border_t                left_q, top;
  logic                   pending_q;      // the last column's own bottom row is still to go to the line buffer
  logic [5:0]             piece_q;
  logic                   issue, store, out_free;

  // Bottom rows of the macroblock beside, complete but for the block that its right neighbour's left edge changes
  block_t [3:0]           bottom_luma_q;
  block_t [1:0][1:0]      bottom_chroma_q;

  logic accept;
  assign mb_ready_o = state_q == S_LOAD && in_full && !pending_q;
  assign accept     = mb_valid_i && mb_ready_o;
  assign issue      = state_q == S_FILTER && piece_q < 6'(PIECES);
  assign store      = state_q == S_STORE && out_free;
  assign mb_end_o   = store;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q   <= S_LOAD;
      piece_q   <= '0;
      pending_q <= 1'b0;
    end else begin
      pending_q <= 1'b0;
      unique case (state_q)
        S_LOAD: if (accept) state_q <= S_TAKE;
        S_TAKE: begin
          state_q <= S_FILTER;
          piece_q <= '0;
        end
        S_FILTER: begin
          piece_q <= piece_q + 6'd1;
          if (piece_q == 6'(PIECES)) state_q <= S_STORE;  // the last piece is being written
        end
        default: begin
          if (store) begin
            state_q   <= S_LOAD;
            pending_q <= last_column_q && !last_row_q;
          end
        end
      endcase
    end
  end

  always_ff @(posedge clk) begin
    if (accept) begin
      mb_q          <= mb_i;
      motion_q      <= mb_motion_i;
      x_q           <= mb_x_i;
      y_q           <= mb_y_i;
      last_column_q <= mb_x_i + 9'd1 == mb_width_i;
      last_row_q    <= mb_y_i + 9'd1 == mb_height_i;
    end
  end

  // ---- line buffer: bottom rows of the macroblocks above, and what the strengths need of them ------------------------------
  typedef struct packed {
    block_t [3:0]      luma;
    block_t [1:0][1:0] chroma;
  } line_t;
  line_t line_above, line_write;
  always_comb begin
    line_write.luma   = bottom_luma_q;
    line_write.chroma = bottom_chroma_q;
    if (!pending_q) begin
      line_write.luma[3]      = luma_q[4][0];
      line_write.chroma[0][1] = chroma_q[0][2][0];
      line_write.chroma[1][1] = chroma_q[1][2][0];
    end
  end
  sram_1r1w #(
      .DATA_W($bits(line_t)),
      .WORDS (MB_WIDTH_MAX)
  ) i_line (
      .clk            (clk),
      .write_i        (pending_q || (store && x_q != 0)),
      .write_address_i(pending_q ? x_q[COLUMN_W-1:0] : COLUMN_W'(x_q - 9'd1)),
      .write_data_i   (line_write),
      .read_i         (accept),
      .read_address_i (mb_x_i[COLUMN_W-1:0]),
      .read_data_o    (line_above)
  );

  border_t lower, right;
  always_comb begin
    lower.intra    = mb_q.intra;
    lower.qp       = mb_q.qp;
    lower.coded    = mb_q.coded[15:12];
    right.intra    = mb_q.intra;
    right.qp       = mb_q.qp;
    for (int unsigned i = 0; i < 4; i++) right.coded[i] = mb_q.coded[4*i+3];
    for (int unsigned l = 0; l < 2; l++) begin
      lower.pictures[l] = {mb_q.pictures[l][3], mb_q.pictures[l][2]};
      right.pictures[l] = {mb_q.pictures[l][3], mb_q.pictures[l][1]};
      for (int unsigned i = 0; i < 4; i++) begin
        lower.mv[l][i] = motion_q[l][12+i];
        right.mv[l][i] = motion_q[l][4*i+3];
      end
    end
  end
  sram_1r1w #(
      .DATA_W($bits(border_t)),
      .WORDS (MB_WIDTH_MAX)
  ) i_border (
      .clk            (clk),
      .write_i        (store),
      .write_address_i(x_q[COLUMN_W-1:0]),
      .write_data_i   (lower),
      .read_i         (accept),
      .read_address_i (mb_x_i[COLUMN_W-1:0]),
      .read_data_o    (top)
  );
  always_ff @(posedge clk) if (store) left_q <= right;

  // ---- strengths: of a luma piece when it is issued, kept for chroma ---------------------------------------------------------
  logic [1:0][3:0][3:0][2:0] strengths_q;  // [direction][edge][quarter]
  logic       direction, luma;
  logic [1:0] edge_now, quarter;
  logic       component;
  always_comb begin
    direction = piece_q >= 6'd24;
    luma      = piece_q < 6'd16 || (piece_q >= 6'd24 && piece_q < 6'd40);
    edge_now  = luma ? 2'((piece_q - (direction ? 6'd24 : 6'd0)) >> 2) : {1'b0, piece_q[2]};
    quarter   = luma ? piece_q[1:0] : {1'b0, piece_q[0]};
    component = piece_q[1];
  end

  typedef struct packed {
    logic [1:0][6:0]       picture;
    logic [1:0][1:0][15:0] mv;
  } cell_t;
  function automatic logic close(input logic [1:0][15:0] a, input logic [1:0][15:0] b, input logic field);
    logic signed [16:0] across, down;
    across = 17'($signed(a[0])) - 17'($signed(b[0]));
    down   = 17'($signed(a[1])) - 17'($signed(b[1]));
    return across < 17'sd4 && across > -17'sd4 && (field ? down < 17'sd2 && down > -17'sd2
                                                         : down < 17'sd4 && down > -17'sd4);
  endfunction
  function automatic logic same(input logic [6:0] picture_a, input logic [1:0][15:0] mv_a,
                                input logic [6:0] picture_b, input logic [1:0][15:0] mv_b, input logic field);
    return picture_a == picture_b && (picture_a[6] || close(mv_a, mv_b, field));
  endfunction
  function automatic logic alike(input cell_t a, input cell_t b, input logic field);
    return (same(a.picture[0], a.mv[0], b.picture[0], b.mv[0], field) &&
            same(a.picture[1], a.mv[1], b.picture[1], b.mv[1], field)) ||
           (same(a.picture[0], a.mv[0], b.picture[1], b.mv[1], field) &&
            same(a.picture[1], a.mv[1], b.picture[0], b.mv[0], field));
  endfunction

  cell_t      here, beside;
  logic       outer, outer_intra, here_coded, beside_coded;
  logic [2:0] strength;
  always_comb begin
    logic [3:0] block, inner;
    block = direction ? {edge_now, quarter} : {quarter, edge_now};
    inner = direction ? block - 4'd4 : block - 4'd1;
    outer = edge_now == 2'd0;
    here_coded   = mb_q.coded[block];
    beside_coded = mb_q.coded[inner];
    for (int unsigned l = 0; l < 2; l++) begin
      here.picture[l]   = mb_q.pictures[l][{block[3], block[1]}];
      here.mv[l]        = motion_q[l][block];
      beside.picture[l] = mb_q.pictures[l][{inner[3], inner[1]}];
      beside.mv[l]      = motion_q[l][inner];
      if (outer) begin
        beside.picture[l] = direction ? top.pictures[l][quarter[1]] : left_q.pictures[l][quarter[1]];
        beside.mv[l]      = direction ? top.mv[l][quarter] : left_q.mv[l][quarter];
      end
    end
    if (outer) beside_coded = direction ? top.coded[quarter] : left_q.coded[quarter];
    outer_intra = outer && (direction ? top.intra : left_q.intra);
    if (mb_q.intra || outer_intra) strength = outer && !(direction && mb_q.field) ? 3'd4 : 3'd3;
    else if (here_coded || beside_coded) strength = 3'd2;
    else strength = alike(here, beside, mb_q.field) ? 3'd0 : 3'd1;
    if (!mb_q.filter || (outer && !(direction ? mb_q.top : mb_q.left)) || (mb_q.transform_8x8 && edge_now[0])) begin
      strength = 3'd0;
    end
  end
  always_ff @(posedge clk) if (issue && luma) strengths_q[direction][edge_now][quarter] <= strength;

  // ---- thresholds ----------------------------------------------------------------------------------------------------------
  function automatic logic [5:0] clamp(input logic signed [7:0] value);
    return value < 0 ? 6'd0 : value > 8'sd51 ? 6'd51 : 6'(value);
  endfunction
  logic [5:0] qp_before, qp_p, qp_q, index_a, index_b;
  always_comb begin
    logic signed [4:0] chroma_offset;
    logic [6:0]        mean;
    chroma_offset = component ? mb_q.cr_offset : mb_q.cb_offset;
    qp_before     = !outer ? mb_q.qp : direction ? top.qp : left_q.qp;
    qp_p          = qp_before;
    qp_q          = mb_q.qp;
    if (!luma) begin
      qp_p = QP_CHROMA[clamp($signed({2'd0, qp_before}) + 8'(chroma_offset))];
      qp_q = QP_CHROMA[clamp($signed({2'd0, mb_q.qp}) + 8'(chroma_offset))];
    end
    mean    = (7'(qp_p) + 7'(qp_q) + 7'd1) >> 1;
    index_a = clamp($signed({1'b0, mean}) + 8'(mb_q.alpha_offset));
    index_b = clamp($signed({1'b0, mean}) + 8'(mb_q.beta_offset));
  end

  // ---- stage 1: the two blocks of a piece as four lines ----------------------------------------------------------------------
  logic [2:0] row_q_block, column_q_block, row_p_block, column_p_block;
  block_t     block_p, block_q;
  always_comb begin
    row_q_block    = 3'(direction ? edge_now : quarter) + 3'd1;
    column_q_block = 3'(direction ? quarter : edge_now) + 3'd1;
    row_p_block    = direction ? row_q_block - 3'd1 : row_q_block;
    column_p_block = direction ? column_q_block : column_q_block - 3'd1;
    block_p = luma ? luma_q[row_p_block][column_p_block] : chroma_q[component][2'(row_p_block)][2'(column_p_block)];
    block_q = luma ? luma_q[row_q_block][column_q_block] : chroma_q[component][2'(row_q_block)][2'(column_q_block)];
  end

  typedef struct packed {
    logic       luma;
    logic       component;
    logic       direction;
    logic [2:0] row_p;
    logic [2:0] column_p;
    logic [2:0] row_q;
    logic [2:0] column_q;
  } place_t;
  place_t               place_q;
  logic                 valid_q;
  logic [3:0][3:0][7:0] p_q, q_q;          // [line][distance]
  logic [3:0][2:0]      line_strength_q;
  logic [7:0]           alpha_q;
  logic [4:0]           beta_q;
  logic [3:0][4:0]      tc0_q;
  always_ff @(posedge clk) begin
    if (!rst_n) valid_q <= 1'b0;
    else valid_q <= issue;
  end
  always_ff @(posedge clk) begin
    place_q <= '{luma: luma, component: component, direction: direction, row_p: row_p_block,
                 column_p: column_p_block, row_q: row_q_block, column_q: column_q_block};
    alpha_q <= ALPHA[index_a];
    beta_q  <= BETA[index_b];
    for (int unsigned i = 0; i < 4; i++) begin
      logic [2:0] own;
      own = luma ? strength : strengths_q[direction][{edge_now[0], 1'b0}][{quarter[0], 1'(i / 2)}];
      line_strength_q[i] <= own;
      tc0_q[i]           <= TC0[{index_a, own[1:0]}];
      for (int unsigned j = 0; j < 4; j++) begin
        p_q[i][j] <= direction ? block_p[4*(3-j)+i] : block_p[4*i+3-j];
        q_q[i][j] <= direction ? block_q[4*j+i] : block_q[4*i+j];
      end
    end
  end

  // ---- stage 2: filter and write back ----------------------------------------------------------------------------------------
  logic [3:0][3:0][7:0] p_d, q_d;
  for (genvar i = 0; i < 4; i++) begin : g_line
    deblock_line i_line (
        .luma_i    (place_q.luma),
        .strength_i(line_strength_q[i]),
        .alpha_i   (alpha_q),
        .beta_i    (beta_q),
        .tc0_i     (tc0_q[i]),
        .p_i       (p_q[i]),
        .q_i       (q_q[i]),
        .p_o       (p_d[i]),
        .q_o       (q_d[i])
    );
  end
  block_t write_p, write_q;
  always_comb begin
    for (int unsigned i = 0; i < 4; i++) begin
      for (int unsigned j = 0; j < 4; j++) begin
        if (place_q.direction) begin
          write_p[4*(3-j)+i] = p_d[i][j];
          write_q[4*j+i]     = q_d[i][j];
        end else begin
          write_p[4*i+3-j] = p_d[i][j];
          write_q[4*i+j]   = q_d[i][j];
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    if (state_q == S_TAKE) begin
      for (int unsigned i = 0; i < 4; i++) begin
        luma_q[0][i+1] <= line_above.luma[i];
        luma_q[i+1][0] <= luma_q[i+1][4];
        for (int unsigned j = 0; j < 4; j++) luma_q[i+1][j+1] <= in_q[4*i+j];
      end
      for (int unsigned c = 0; c < 2; c++) begin
        for (int unsigned i = 0; i < 2; i++) begin
          chroma_q[c][0][i+1] <= line_above.chroma[c][i];
          chroma_q[c][i+1][0] <= chroma_q[c][i+1][2];
          for (int unsigned j = 0; j < 2; j++) chroma_q[c][i+1][j+1] <= in_q[16+4*c+2*i+j];
        end
      end
    end else if (valid_q) begin
      if (place_q.luma) begin
        luma_q[place_q.row_p][place_q.column_p] <= write_p;
        luma_q[place_q.row_q][place_q.column_q] <= write_q;
      end else begin
        chroma_q[place_q.component][2'(place_q.row_p)][2'(place_q.column_p)] <= write_p;
        chroma_q[place_q.component][2'(place_q.row_q)][2'(place_q.column_q)] <= write_q;
      end
    end
    if (store) begin
      for (int unsigned i = 0; i < 4; i++) bottom_luma_q[i] <= luma_q[4][i+1];
      for (int unsigned c = 0; c < 2; c++) begin
        for (int unsigned i = 0; i < 2; i++) bottom_chroma_q[c][i] <= chroma_q[c][2][i+1];
      end
    end
  end

  // ---- blocks out ------------------------------------------------------------------------------------------------------------
  logic [SLOTS-1:0]      out_todo_q, out_todo_d;
  block_t                out_blocks_q [SLOTS];
  logic [8:0]            out_mb_x_q, out_mb_y_q;
  logic [5:0]            slot;
  assign out_free = out_todo_q == '0;
  // Row 0 leaves if there is a macroblock above, column 0 if there is one to the left; the own last row and column only at
  // the picture's end. The corner was finished by the macroblock above.
  always_comb begin
    out_todo_d = '0;
    for (int unsigned r = 0; r < 5; r++) begin
      for (int unsigned c = 0; c < 5; c++) begin
        out_todo_d[5*r+c] = (r != 0 || (y_q != 0 && c != 0)) && (c != 0 || x_q != 0) && (r != 4 || last_row_q) &&
                            (c != 4 || last_column_q || r == 0);
      end
    end
    for (int unsigned k = 0; k < 2; k++) begin
      for (int unsigned r = 0; r < 3; r++) begin
        for (int unsigned c = 0; c < 3; c++) begin
          out_todo_d[25+9*k+3*r+c] = (r != 0 || (y_q != 0 && c != 0)) && (c != 0 || x_q != 0) &&
                                     (r != 2 || last_row_q) && (c != 2 || last_column_q || r == 0);
        end
      end
    end
  end
  always_ff @(posedge clk) begin
    if (store) begin
      out_mb_x_q <= x_q;
      out_mb_y_q <= y_q;
      for (int unsigned i = 0; i < 25; i++) out_blocks_q[i] <= luma_q[i/5][i%5];
      for (int unsigned i = 0; i < 18; i++) out_blocks_q[25+i] <= chroma_q[i/9][i%9/3][i%3];
    end
  end
  always_ff @(posedge clk) begin
    if (!rst_n) out_todo_q <= '0;
    else if (store) out_todo_q <= out_todo_d;
    else if (out_ready_i) out_todo_q <= out_todo_q & (out_todo_q - SLOTS'(1));
  end
  logic [3:0] chroma_slot;
  assign chroma_slot = 4'(slot - (slot < 6'd34 ? 6'd25 : 6'd34));
  always_comb begin
    slot = '0;
    for (int unsigned i = SLOTS; i > 0; i--) if (out_todo_q[i-1]) slot = 6'(i - 1);
  end
  always_comb begin
    if (slot < 6'd25) begin
      out_plane_o = PLANE_Y;
      out_x_o     = {out_mb_x_q, 2'd0} + 11'(slot % 6'd5) - 11'd1;
      out_y_o     = {out_mb_y_q, 2'd0} + 11'(slot / 6'd5) - 11'd1;
    end else begin
      out_plane_o = slot < 6'd34 ? PLANE_CB : PLANE_CR;
      out_x_o     = {1'b0, out_mb_x_q, 1'b0} + 11'(chroma_slot % 4'd3) - 11'd1;
      out_y_o     = {1'b0, out_mb_y_q, 1'b0} + 11'(chroma_slot / 4'd3) - 11'd1;
    end
  end
  assign out_valid_o   = out_todo_q != '0;
  assign out_samples_o = out_blocks_q[slot];

  // ---- handshakes ------------------------------------------------------------------------------------------------------------
  property p_output_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_samples_o) &&
                                        $stable(out_x_o) && $stable(out_y_o) && $stable(out_plane_o);
  endproperty
  assert property (p_output_stable) else $error("deblock: block changed while it waited");
  property p_qp;
    @(posedge clk) disable iff (!rst_n || $time == 0) mb_valid_i |-> mb_i.qp <= 6'd51;
  endproperty
  assert property (p_qp) else $error("deblock: QP %0d", mb_i.qp);
  property p_inside;
    @(posedge clk) disable iff (!rst_n || $time == 0) mb_valid_i |-> mb_x_i < mb_width_i && mb_y_i < mb_height_i &&
                                                       32'(mb_width_i) <= MB_WIDTH_MAX;
  endproperty
  assert property (p_inside) else $error("deblock: macroblock (%0d, %0d) outside the picture", mb_x_i, mb_y_i);
  handshake_check #(.PAYLOAD_W($bits({mb_i, mb_motion_i, mb_x_i, mb_y_i, mb_width_i, mb_height_i}))) i_mb_check (
      .clk, .rst_n, .valid_i(mb_valid_i), .ready_i(mb_ready_o), .payload_i({mb_i, mb_motion_i, mb_x_i, mb_y_i, mb_width_i, mb_height_i})
  );
  handshake_check #(.PAYLOAD_W($bits(block_i))) i_block_check (
      .clk, .rst_n, .valid_i(block_valid_i), .ready_i(block_ready_o), .payload_i(block_i)
  );

endmodule

`default_nettype wire
