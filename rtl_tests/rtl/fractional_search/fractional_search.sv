// Fractional search engine: half- and quarter-sample refinement of a macroblock's vectors in one reference, by SATD.
// Model twin: asic_model/engines/fractional_search.py. Bench: rtl_tests/fractional_search/.
//
// Around each distinct whole-sample vector of the wanted partitions nine positions half a sample apart are compared, then
// eight quarter positions around every distinct winner. Two 4x4 blocks a cycle are interpolated from whole samples on the
// fly (H.264 8.4.2.2.1), transformed and summed; quadrant sums serve all partitions.
//
// The engine asks for the window of each centre, 22 rows of 22 samples that begin three samples above and to the left of
// the predicted macroblock, and holds two: the next one comes in while one is searched. The macroblock is written
// before its command and must stand until the result.

`default_nettype none

module fractional_search #(
    parameter int unsigned LATENCY = 8  // from the issue of two blocks to their costs; fixed by the structure
) (
    input  wire logic              clk,
    input  wire logic              rst_n,

    input  wire logic              current_valid_i,
    input  wire logic [3:0]        current_row_i,
    input  wire logic [15:0][7:0]  current_data_i,

    input  wire logic              cmd_valid_i,
    output      logic              cmd_ready_o,
    input  wire logic [8:0]        cmd_wanted_i,       // partitions to refine, in the order of motion_search
    input  wire logic [8:0][10:0]  cmd_whole_x_i,      // whole-sample vectors
    input  wire logic [8:0][10:0]  cmd_whole_y_i,
    input  wire logic [1:0][15:0]  cmd_predicted_i,    // quarter samples, [0] x
    input  wire logic [11:0]       cmd_lambda_i,       // in 1/16

    output      logic              request_valid_o,    // a window is wanted
    input  wire logic              request_ready_i,
    output      logic [10:0]       request_x_o,        // the vector that it belongs to
    output      logic [10:0]       request_y_o,
    input  wire logic              window_valid_i,     // its rows, top to bottom
    output      logic              window_ready_o,
    input  wire logic [21:0][7:0]  window_data_i,

    output      logic              out_valid_o,
    input  wire logic              out_ready_i,
    output      logic [8:0][13:0]  out_mv_x_o,         // quarter samples; of wanted partitions
    output      logic [8:0][13:0]  out_mv_y_o,
    output      logic [8:0][17:0]  out_cost_o          // SATD + lambda * bits
);

  localparam int unsigned SIDE = 22;

  if (LATENCY != 8) begin : g_parameter_check
    $fatal(1, "fractional_search: LATENCY is %0d, the structure has 8", LATENCY);
  end

  // Bits of se(v) (9.1.1).
  function automatic logic [5:0] vector_bits(input logic signed [17:0] value);
    logic [17:0] code;
    code = value > 0 ? {value[16:0], 1'b0} : {17'(-value), 1'b0} + 18'd1;
    vector_bits = 6'd1;
    for (int unsigned i = 1; i < 18; i++) if (code[i]) vector_bits = 6'(2 * i + 1);
  endfunction

  function automatic logic [3:0] lowest(input logic [8:0] mask);
    lowest = '0;
    for (int unsigned i = 9; i > 0; i--) if (mask[i-1]) lowest = 4'(i - 1);
  endfunction

  // ---- the command -------------------------------------------------------------------------------------------------------
  logic [15:0][15:0][7:0] current_q;
  logic                   accept;
  logic [8:0][10:0]       whole_x_q, whole_y_q;
  logic [1:0][15:0]       predicted_q;
  logic [11:0]            lambda_q;
  always_ff @(posedge clk) if (current_valid_i) current_q[current_row_i] <= current_data_i;
  always_ff @(posedge clk) begin
    if (accept) begin
      whole_x_q   <= cmd_whole_x_i;
      whole_y_q   <= cmd_whole_y_i;
      predicted_q <= cmd_predicted_i;
      lambda_q    <= cmd_lambda_i;
    end
  end

  function automatic logic [8:0] sharing(input logic [8:0] mask, input logic [3:0] first, input logic [8:0][10:0] x,
                                         input logic [8:0][10:0] y);
    for (int unsigned q = 0; q < 9; q++) sharing[q] = mask[q] && x[q] == x[first] && y[q] == y[first];
  endfunction

  // ---- windows -----------------------------------------------------------------------------------------------------------
  logic [1:0][SIDE-1:0][SIDE-1:0][7:0] window_q;
  logic [1:0] full_q;
  logic       fill_side_q, filling_q;
  logic [4:0] fill_row_q;
  logic [8:0] fetch_todo_q;  // partitions whose window has not been asked for
  logic [3:0] fetch_now;
  logic       centre_done;   // the window of ring_side_q is free
  logic       half_side_q;   // window of the next centre
  logic       ring_side_q;   // window of the oldest centre whose rings are to come
  assign fetch_now       = lowest(fetch_todo_q);
  assign request_valid_o = fetch_todo_q != 0 && !filling_q && !full_q[fill_side_q];
  assign request_x_o     = whole_x_q[fetch_now];
  assign request_y_o     = whole_y_q[fetch_now];
  assign window_ready_o  = filling_q;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      full_q       <= '0;
      fill_side_q  <= 1'b0;
      filling_q    <= 1'b0;
      fill_row_q   <= '0;
      fetch_todo_q <= '0;
    end else begin
      if (accept) fetch_todo_q <= cmd_wanted_i;
      if (request_valid_o && request_ready_i) begin
        filling_q    <= 1'b1;
        fill_row_q   <= '0;
        fetch_todo_q <= fetch_todo_q & ~sharing(fetch_todo_q, fetch_now, whole_x_q, whole_y_q);
      end
      if (window_valid_i && window_ready_o) begin
        fill_row_q <= fill_row_q + 5'd1;
        if (fill_row_q == 5'(SIDE - 1)) begin
          filling_q           <= 1'b0;
          full_q[fill_side_q] <= 1'b1;
          fill_side_q         <= !fill_side_q;
        end
      end
      if (centre_done) full_q[ring_side_q] <= 1'b0;
    end
  end
  always_ff @(posedge clk) if (window_valid_i && window_ready_o) window_q[fill_side_q][fill_row_q] <= window_data_i;

  // ---- schedule ----------------------------------------------------------------------------------------------------------
  typedef enum logic [2:0] {S_IDLE, S_CENTRE, S_HALF, S_WAIT, S_QUARTER, S_END} state_e;
  state_e             state_q;
  logic [8:0]         todo_q, ring_q;       // partitions of the command, of the winner's ring
  logic [1:0][8:0]    members_q;            // of the centre of each window
  logic [1:0][3:0]    first_q;              // partition that names it
  logic [1:0]         pending_q;            // centres whose half positions are compared, but not their rings
  logic               side;                 // window that is read
  logic signed [3:0]  dx_q, dy_q, ring_x_q, ring_y_q;  // position and ring's centre, quarter samples from the centre
  logic [2:0]         pair_q;                     // two blocks of the macroblock
  logic               issue, position_ends, ring_ends, pipe_busy, half_busy;

  logic [8:0][23:0]   half_q, quarter_q;          // cost, number of the position: 7 * dy + dx + 24
  logic [3:0]         ring_first;
  logic [5:0]         ring_number;
  assign ring_first  = lowest(members_q[ring_side_q]);
  assign ring_number = half_q[ring_first][5:0];
  logic [8:0] same_winner;
  always_comb begin
    for (int unsigned q = 0; q < 9; q++) same_winner[q] = members_q[ring_side_q][q] && half_q[q][5:0] == ring_number;
  end
  logic signed [3:0] winner_x, winner_y;
  assign winner_x = 4'(32'(ring_number) % 7) - 4'sd3;
  assign winner_y = 4'(32'(ring_number) / 7) - 4'sd3;

  assign issue         = state_q == S_HALF || state_q == S_QUARTER;
  assign position_ends = issue && pair_q == 3'd7;
  assign ring_ends     = position_ends && (state_q == S_HALF ? dx_q == 4'sd2 && dy_q == 4'sd2
                                                             : dx_q == ring_x_q + 4'sd1 && dy_q == ring_y_q + 4'sd1);
  assign cmd_ready_o   = state_q == S_IDLE && !out_valid_o;
  assign accept        = cmd_valid_i && cmd_ready_o;
  assign side          = state_q == S_HALF ? half_side_q : ring_side_q;
  assign centre_done   = state_q == S_QUARTER && ring_ends && (members_q[ring_side_q] & ~ring_q) == 0;

  logic finish;
  assign finish = state_q == S_END && !pipe_busy;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q     <= S_IDLE;
      todo_q      <= '0;
      members_q   <= '0;
      ring_q      <= '0;
      first_q     <= '0;
      half_side_q <= 1'b0;
      ring_side_q <= 1'b0;
      pending_q   <= '0;
      pair_q      <= '0;
      out_valid_o <= 1'b0;
    end else begin
      if (out_valid_o && out_ready_i) out_valid_o <= 1'b0;
      unique case (state_q)
        S_IDLE: begin
          if (accept) begin
            todo_q  <= cmd_wanted_i;
            state_q <= S_CENTRE;
          end
        end
        S_CENTRE: begin
          // the half positions of a second centre fill the wait for those of the first
          if (todo_q != 0 && pending_q != 2'd2 && full_q[half_side_q]) begin
            first_q[half_side_q]   <= lowest(todo_q);
            members_q[half_side_q] <= sharing(todo_q, lowest(todo_q), whole_x_q, whole_y_q);
            todo_q                 <= todo_q & ~sharing(todo_q, lowest(todo_q), whole_x_q, whole_y_q);
            state_q                <= S_HALF;
          end else if (pending_q != 0) begin
            state_q <= S_WAIT;
          end else if (todo_q == 0) begin
            state_q <= S_END;
          end
          dx_q   <= -4'sd2;
          dy_q   <= -4'sd2;
          pair_q <= '0;
        end
        S_HALF: begin
          pair_q <= pair_q + 3'd1;
          if (position_ends) begin
            dx_q <= dx_q == 4'sd2 ? -4'sd2 : dx_q + 4'sd2;
            if (dx_q == 4'sd2) dy_q <= dy_q + 4'sd2;
          end
          if (ring_ends) begin
            state_q     <= S_CENTRE;
            half_side_q <= !half_side_q;
            pending_q   <= pending_q + 2'd1;
          end
        end
        S_WAIT: begin  // the winners of the half positions are known when these have left the pipeline
          if (!half_busy) begin
            ring_q   <= same_winner;
            ring_x_q <= winner_x;
            ring_y_q <= winner_y;
            dx_q     <= winner_x - 4'sd1;
            dy_q     <= winner_y - 4'sd1;
            state_q  <= S_QUARTER;
          end
        end
        S_QUARTER: begin
          pair_q <= pair_q + 3'd1;
          if (position_ends) begin
            // raster order around the ring's centre, which has been compared
            if (dy_q == ring_y_q) dx_q <= dx_q == ring_x_q - 4'sd1 ? ring_x_q + 4'sd1 : ring_x_q - 4'sd1;
            else dx_q <= dx_q == ring_x_q + 4'sd1 ? ring_x_q - 4'sd1 : dx_q + 4'sd1;
            if (dx_q == ring_x_q + 4'sd1) dy_q <= dy_q + 4'sd1;
          end
          if (ring_ends) begin
            members_q[ring_side_q] <= members_q[ring_side_q] & ~ring_q;
            if (centre_done) begin
              state_q     <= S_CENTRE;
              ring_side_q <= !ring_side_q;
              pending_q   <= pending_q - 2'd1;
            end else begin
              state_q <= S_WAIT;
            end
          end
        end
        default: begin
          if (finish) begin
            state_q     <= S_IDLE;
            out_valid_o <= 1'b1;
          end
        end
      endcase
    end
  end

  // ---- pipeline ----------------------------------------------------------------------------------------------------------
  typedef struct packed {
    logic       valid;
    logic       half;       // else a quarter position
    logic       begins;     // first position of a ring: what was best at the half positions stands
    logic       first;      // first blocks of a position
    logic       last;       // last blocks of a position
    logic       reset;      // first position of a centre
    logic [1:0] quadrant;
    logic [5:0] number;
    logic [8:0] ring;       // partitions that the position is for
    logic       side;
    logic [10:0] centre_x;
    logic [10:0] centre_y;
  } token_t;
  token_t token_d;
  token_t token_q [1:LATENCY];
  always_comb begin
    token_d = '0;
    token_d.valid    = issue;
    token_d.half     = state_q == S_HALF;
    token_d.first    = pair_q == 3'd0;
    token_d.last     = pair_q == 3'd7;
    token_d.reset    = state_q == S_HALF && dx_q == -4'sd2 && dy_q == -4'sd2;
    token_d.begins   = state_q == S_QUARTER && dx_q == ring_x_q - 4'sd1 && dy_q == ring_y_q - 4'sd1;
    token_d.quadrant = {pair_q[2], pair_q[0]};
    token_d.number   = 6'(7'sd7 * 7'(dy_q) + 7'(dx_q) + 7'sd24);
    token_d.ring     = state_q == S_HALF ? members_q[half_side_q] : ring_q;
    token_d.side     = side;
    token_d.centre_x = whole_x_q[first_q[side]];
    token_d.centre_y = whole_y_q[first_q[side]];
  end
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      for (int unsigned i = 1; i <= LATENCY; i++) token_q[i] <= '0;
    end else begin
      token_q[1] <= token_d;
      for (int unsigned i = 2; i <= LATENCY; i++) token_q[i] <= token_q[i-1];
    end
  end
  always_comb begin
    pipe_busy = 1'b0;
    half_busy = 1'b0;
    for (int unsigned i = 1; i <= LATENCY; i++) begin
      pipe_busy = pipe_busy || token_q[i].valid;
      half_busy = half_busy || (token_q[i].valid && token_q[i].half && token_q[i].side == ring_side_q);
    end
  end

  // 1: samples around two blocks, 8x4: two more above and to the left, three below and to the right
  logic [8:0][12:0][7:0] area_q;
  logic [3:0]            kind1_q;            // 4 * yFrac + xFrac
  logic [3:0][7:0][7:0]  cur1_q, cur2_q, cur3_q, cur4_q;
  always_ff @(posedge clk) begin
    logic [4:0] row0, column0;
    // window sample (3, 3) is the centre's; a position left of it begins one sample earlier, its taps two before that
    row0    = {1'b0, pair_q[2:1], 2'd0} + (dy_q[3] ? 5'd0 : 5'd1);
    column0 = {1'b0, pair_q[0], 3'd0} + (dx_q[3] ? 5'd0 : 5'd1);
    for (int unsigned r = 0; r < 9; r++) begin
      for (int unsigned c = 0; c < 13; c++) area_q[r][c] <= window_q[side][row0+5'(r)][column0+5'(c)];
    end
    for (int unsigned r = 0; r < 4; r++) begin
      for (int unsigned c = 0; c < 8; c++) cur1_q[r][c] <= current_q[{pair_q[2:1], 2'(r)}][{pair_q[0], 3'(c)}];
    end
    kind1_q <= {dy_q[1:0], dx_q[1:0]};
    cur2_q  <= cur1_q;
    cur3_q  <= cur2_q;
    cur4_q  <= cur3_q;
  end

  // 2 to 4: interpolation
  logic [3:0][7:0][7:0] predicted4_q;
  luma_interpolation #(
      .COLUMNS(8)
  ) i_interpolation (
      .clk        (clk),
      .area_i     (area_q),
      .kind_i     (kind1_q),
      .predicted_o(predicted4_q)
  );

  // 5, 6: Hadamard transform of the two blocks, rows then columns; 7: magnitudes
  typedef logic signed [12:0] value_t;
  typedef value_t [3:0] line_t;
  function automatic line_t hadamard(input line_t v);
    value_t s02, s13, d02, d13;
    s02 = v[0] + v[2];
    d02 = v[0] - v[2];
    s13 = v[1] + v[3];
    d13 = v[1] - v[3];
    hadamard[0] = s02 + s13;
    hadamard[1] = s02 - s13;
    hadamard[2] = d02 + d13;
    hadamard[3] = d02 - d13;
  endfunction
  line_t [1:0][3:0] rows_q, columns_q;  // [block][row or column]
  always_ff @(posedge clk) begin
    for (int unsigned k = 0; k < 2; k++) begin
      for (int unsigned r = 0; r < 4; r++) begin
        line_t row;
        for (int unsigned c = 0; c < 4; c++) begin
          row[c] = $signed({5'd0, cur4_q[r][4*k+c]}) - $signed({5'd0, predicted4_q[r][4*k+c]});
        end
        rows_q[k][r] <= hadamard(row);
      end
      for (int unsigned c = 0; c < 4; c++) begin
        columns_q[k][c] <= hadamard({rows_q[k][3][c], rows_q[k][2][c], rows_q[k][1][c], rows_q[k][0][c]});
      end
    end
  end
  logic [16:0] sum7_q;
  always_ff @(posedge clk) begin
    logic [16:0] total;
    total = '0;
    for (int unsigned i = 0; i < 32; i++) begin
      value_t value;
      value = columns_q[i/16][i/4%4][i%4];
      total = total + 17'(value < 0 ? 13'(-value) : 13'(value));
    end
    sum7_q <= total;
  end

  // 8: sums of the quadrants of a position; with its last blocks the costs of all partitions
  logic [3:0][16:0] quadrants, quadrants_q;
  logic [17:0]      rate8_q;
  always_comb begin
    for (int unsigned q = 0; q < 4; q++) begin
      quadrants[q] = token_q[7].first ? '0 : quadrants_q[q];
      if (token_q[7].valid && 32'(token_q[7].quadrant) == q) quadrants[q] = quadrants[q] + sum7_q;
    end
  end
  always_ff @(posedge clk) begin
    logic signed [17:0] x, y;
    quadrants_q <= quadrants;
    x = (18'($signed(token_q[7].centre_x)) <<< 2) + 18'(signed'(32'(token_q[7].number) % 7)) - 18'sd3;
    y = (18'($signed(token_q[7].centre_y)) <<< 2) + 18'(signed'(32'(token_q[7].number) / 7)) - 18'sd3;
    rate8_q <= 18'((19'(lambda_q) * 19'(7'(vector_bits(x - 18'($signed(predicted_q[0])))) +
                                        7'(vector_bits(y - 18'($signed(predicted_q[1])))))) >> 4);
  end

  logic [8:0][17:0] costs;
  always_comb begin
    logic [3:0][17:0] satd;
    for (int unsigned q = 0; q < 4; q++) satd[q] = 18'(quadrants_q[q] >> 1);
    costs[1] = satd[0] + satd[1];
    costs[2] = satd[2] + satd[3];
    costs[3] = satd[0] + satd[2];
    costs[4] = satd[1] + satd[3];
    costs[0] = costs[1] + costs[2];
    for (int unsigned q = 0; q < 4; q++) costs[5+q] = satd[q];
    for (int unsigned p = 0; p < 9; p++) costs[p] = costs[p] + rate8_q;
  end
  always_ff @(posedge clk) begin
    if (token_q[8].valid && token_q[8].last) begin
      for (int unsigned p = 0; p < 9; p++) begin
        logic [23:0] found, before_;
        found = {costs[p], token_q[8].number};
        if (token_q[8].half) begin
          if (token_q[8].ring[p] && (token_q[8].reset || found < half_q[p])) half_q[p] <= found;
        end else begin
          before_      = token_q[8].begins ? half_q[p] : quarter_q[p];
          quarter_q[p] <= found < before_ ? found : before_;
          if (token_q[8].ring[p]) begin
            out_cost_o[p] <= found < before_ ? found[23:6] : before_[23:6];
            out_mv_x_o[p] <= {token_q[8].centre_x[10], token_q[8].centre_x, 2'd0} +
                             14'(32'(found < before_ ? found[5:0] : before_[5:0]) % 7) - 14'd3;
            out_mv_y_o[p] <= {token_q[8].centre_y[10], token_q[8].centre_y, 2'd0} +
                             14'(32'(found < before_ ? found[5:0] : before_[5:0]) / 7) - 14'd3;
          end
        end
      end
    end
  end

  // ---- handshakes --------------------------------------------------------------------------------------------------------
  property p_result_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_mv_x_o) &&
                                        $stable(out_mv_y_o) && $stable(out_cost_o);
  endproperty
  assert property (p_result_stable) else $error("fractional_search: result changed while it waited");
  property p_request_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) request_valid_o && !request_ready_i |=> request_valid_o &&
                                        $stable(request_x_o) && $stable(request_y_o);
  endproperty
  assert property (p_request_stable) else $error("fractional_search: request changed while it waited");
  property p_wanted;
    @(posedge clk) disable iff (!rst_n || $time == 0) cmd_valid_i |-> cmd_wanted_i != 0;
  endproperty
  assert property (p_wanted) else $error("fractional_search: no partition is wanted");
  handshake_check #(.PAYLOAD_W($bits({cmd_wanted_i, cmd_whole_x_i, cmd_whole_y_i, cmd_predicted_i, cmd_lambda_i}))) i_cmd_check (
      .clk, .rst_n, .valid_i(cmd_valid_i), .ready_i(cmd_ready_o), .payload_i({cmd_wanted_i, cmd_whole_x_i, cmd_whole_y_i, cmd_predicted_i, cmd_lambda_i})
  );
  handshake_check #(.PAYLOAD_W($bits(window_data_i))) i_window_check (
      .clk, .rst_n, .valid_i(window_valid_i), .ready_i(window_ready_o), .payload_i(window_data_i)
  );

endmodule

`default_nettype wire
