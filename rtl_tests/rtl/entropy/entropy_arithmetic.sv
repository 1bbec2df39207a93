// Arithmetic coder of CABAC: BINS symbols a cycle to bytes (H.264 9.3.4.2), and the contexts' states (9.3.1.1).
//
// `low` keeps the standard's codILow in its 9 low bits; bits that it has put out wait above them until they fill a byte.
// A carry out of a byte goes to those before it, of which the last that is not 255 is held back (the standard's
// bitsOutstanding, a byte at a time).

`default_nettype none

module entropy_arithmetic
  import entropy_pkg::*;
  import entropy_tables_pkg::*;
#(
    parameter int unsigned BINS  = 1,  // bins coded in a cycle, 1 to 4
    parameter int unsigned DEPTH = 32  // symbols of the queue before it
) (
    input  wire logic                          clk,
    input  wire logic                          rst_n,

    input  wire logic                          start_i,      // a slice begins: contexts are initialised from the next cycle on
    input  wire logic [1:0]                    contexts_i,   // row of the initial values
    input  wire logic [5:0]                    qp_i,         // SliceQPY

    input  wire logic [$clog2(DEPTH+1)-1:0]    count_i,
    output      logic [$clog2(BINS+1)-1:0]     pop_o,
    input  wire logic [BINS-1:0][SYMBOL_W-1:0] symbols_i,

    output      logic                          byte_valid_o,
    input  wire logic                          byte_ready_i,
    output      logic [7:0]                    byte_o,
    output      logic                          byte_last_o,  // last byte of the slice
    output      logic                          mb_end_o,     // the last bin of a macroblock has been coded
    output      logic                          bin_o         // at least one bin was coded in this cycle
);

  localparam int unsigned POP_W   = $clog2(BINS + 1);
  localparam int unsigned LOW_W   = 10 + 7 + 7 * BINS;
  localparam int unsigned ITEMS   = BINS < 2 ? 2 : BINS;  // bytes put out in a cycle
  localparam int unsigned ITEM_W  = 11;
  localparam int unsigned GROUPS  = 128;                  // of eight contexts
  localparam int unsigned ITEM_DEPTH = 16;

  if (BINS < 1 || BINS > 4) begin : g_parameter_check
    $fatal(1, "entropy_arithmetic: BINS is %0d, 1 to 4 are allowed", BINS);
  end

  typedef struct packed {
    logic       last;    // with finish: end of the slice
    logic       finish;  // no byte: hand over what is held back
    logic       carry;   // add one to the bytes before
    logic [7:0] data;
  } item_t;

  // ---- contexts --------------------------------------------------------------------------------------------------------
  logic [6:0] states_q [1024];
  logic       init_q;
  logic [6:0] group_q;
  logic [1:0] table_q;
  logic [5:0] slice_qp_q;
  logic [7:0][6:0] initial_states;

  always_comb begin
    logic [127:0] row;
    row = INITIAL[{table_q, group_q}];
    for (int unsigned i = 0; i < 8; i++) begin
      logic signed [7:0]  m, n;
      logic signed [14:0] product;
      logic signed [9:0]  pre;
      m       = row[16*i+8+:8];
      n       = row[16*i+:8];
      product = 15'(m) * $signed({9'd0, slice_qp_q});
      pre     = 10'(product >>> 4) + 10'(n);
      if (pre < 10'sd1) pre = 10'sd1;
      if (pre > 10'sd126) pre = 10'sd126;
      initial_states[i] = pre <= 10'sd63 ? {6'(10'sd63 - pre), 1'b0} : {6'(pre - 10'sd64), 1'b1};
    end
  end

  // ---- coding ----------------------------------------------------------------------------------------------------------
  typedef enum logic [1:0] {C_CODE, C_FLUSH, C_FINISH} coder_e;
  coder_e             coder_q;
  logic [LOW_W-1:0]   low_q, low_d;
  logic [8:0]         range_q, range_d;
  logic [2:0]         queue_q;
  logic [5:0]         queue_d;
  logic               last_q, last_d;       // the terminating bin ended the slice
  logic               flush_d;
  logic [POP_W-1:0]   pop;
  logic [BINS-1:0]                update;
  logic [BINS-1:0][9:0]           update_ctx;
  logic [BINS-1:0][6:0]           update_state;
  logic [ITEMS-1:0][ITEM_W-1:0]   items;
  logic [$clog2(ITEMS+1)-1:0]     item_count;
  logic                           item_room;
  logic                           raw;
  logic                           end_now;

  always_comb begin
    low_d        = low_q;
    range_d      = range_q;
    queue_d      = 6'(queue_q);
    last_d       = last_q;
    flush_d      = 1'b0;
    pop          = '0;
    raw          = 1'b0;
    update       = '0;
    update_ctx   = '0;
    update_state = '0;
    end_now      = 1'b0;
    for (int unsigned i = 0; i < BINS; i++) begin
      logic [10:0] ctx;
      logic        bin, bypass, terminate, least;
      logic [6:0]  state;
      logic [7:0]  lps;
      logic [8:0]  mps;
      logic [3:0]  shift;
      {ctx, bin} = symbols_i[i];
      bypass    = ctx == 11'(CTX_BYPASS);
      terminate = ctx == 11'(CTX_TERMINATE) || ctx == CTX_MB_END;
      state     = states_q[ctx[9:0]];
      for (int unsigned j = 0; j < i; j++) begin
        if (update[j] && update_ctx[j] == ctx[9:0]) state = update_state[j];
      end
      if (terminate) state = 7'd126;
      lps   = 8'(LPS_RANGES[state[6:1]] >> {range_d[7:6], 3'd0});
      mps   = range_d - 9'(lps);
      least = bin ^ state[0];
      if (bypass) begin
        lps   = '0;
        mps   = range_d;
        least = bin;
      end
      shift = 4'd1;
      if (!bypass) begin
        if (least) begin
          shift = 4'd1;
          for (int unsigned k = 2; k < 8; k++) if (lps < 8'(9'd1 << (9 - k))) shift = 4'(k);
        end else begin
          shift = mps[8] ? 4'd0 : 4'd1;
        end
      end
      if (32'(count_i) > i && 32'(pop) == i && coder_q == C_CODE && !init_q && item_room && !flush_d && !raw) begin
        if (ctx[10:8] == CTX_RAW[10:8]) begin
          if (i == 0) begin
            raw = 1'b1;
            pop = POP_W'(1);
          end
        end else begin
          pop = POP_W'(i + 1);
          if (bypass) low_d = (low_d << 1) + (least ? LOW_W'(mps) : '0);
          else low_d = (low_d + (least ? LOW_W'(mps) : '0)) << shift;
          range_d = bypass ? range_d : 9'((least ? 9'(lps) : mps) << shift);
          queue_d = queue_d + 6'(shift);
          update[i]       = !bypass && !terminate;
          update_ctx[i]   = ctx[9:0];
          update_state[i] = NEXT_STATE[{state, bin}];
          if (terminate && bin) begin
            flush_d = 1'b1;
            last_d  = ctx == CTX_MB_END;
          end
          if (ctx == CTX_MB_END) end_now = 1'b1;
        end
      end
    end
  end

  // Bytes out of the bits that wait
  logic [LOW_W-1:0] low_rest;
  logic [2:0]       queue_rest;
  always_comb begin
    logic [5:0] waiting;
    item_t      item;
    items      = '0;
    item_count = '0;
    low_rest   = low_d;
    waiting    = queue_d;
    item       = '0;
    unique case (coder_q)
      C_CODE: begin
        if (raw) begin
          items[0]   = {3'b000, symbols_i[0][8:1]};
          item_count = 1;
        end else begin
          for (int unsigned i = 0; i < BINS; i++) begin
            if (waiting >= 6'd8) begin
              waiting = waiting - 6'd8;
              item.carry = low_rest[LOW_W-1:0] >> (6'd17 + waiting) != 0;
              item.data  = 8'(low_rest >> (6'd9 + waiting));
              low_rest   = low_rest & ((LOW_W'(1) << (6'd9 + waiting)) - LOW_W'(1));
              items[item_count[$clog2(ITEMS)-1:0]] = item;
              item_count = item_count + 1;
            end
          end
        end
      end
      C_FLUSH: begin
        // EncodeFlush (9.3.4.5): two more bits, the last one the stop bit, zeros up to the byte
        logic [LOW_W-1:0] value;
        logic [5:0]       bits;
        value = (low_q >> 7) | LOW_W'(1);
        bits  = 6'(queue_q) + 6'd2;
        item.carry = value >> bits != 0;
        if (bits > 6'd8) begin
          item.data = 8'(value >> (bits - 6'd8));
          items[0]  = item;
          items[1]  = {3'b000, 8'(value << (6'd16 - bits))};
          item_count = 2;
        end else begin
          item.data  = 8'(value << (6'd8 - bits));
          items[0]   = item;
          item_count = 1;
        end
      end
      C_FINISH: begin
        items[0]   = {last_q, 2'b10, 8'd0};
        item_count = 1;
      end
      default: ;
    endcase
    queue_rest = 3'(waiting);
  end

  assign pop_o    = pop;
  assign bin_o    = pop != 0;
  assign mb_end_o = end_now;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      coder_q    <= C_CODE;
      init_q     <= 1'b0;
      group_q    <= '0;
      table_q    <= '0;
      slice_qp_q <= '0;
      low_q      <= '0;
      range_q    <= 9'd510;
      queue_q    <= '0;
      last_q     <= 1'b0;
    end else begin
      if (init_q) begin
        group_q <= group_q + 7'd1;
        if (group_q == 7'(GROUPS - 1)) init_q <= 1'b0;
      end
      if (start_i) begin
        init_q     <= 1'b1;
        group_q    <= '0;
        table_q    <= contexts_i;
        slice_qp_q <= qp_i;
      end
      unique case (coder_q)
        C_CODE: begin
          if (!raw) begin
            low_q   <= low_rest;
            range_q <= range_d;
            queue_q <= queue_rest;
          end
          last_q <= last_d;
          if (flush_d) coder_q <= C_FLUSH;
        end
        C_FLUSH: if (item_room) coder_q <= C_FINISH;
        C_FINISH: begin
          if (item_room) begin
            coder_q <= C_CODE;
            low_q   <= '0;
            range_q <= 9'd510;
            queue_q <= '0;
          end
        end
        default: coder_q <= C_CODE;
      endcase
    end
  end

  always_ff @(posedge clk) begin
    if (init_q) begin
      for (int unsigned i = 0; i < 8; i++) states_q[{group_q, 3'(i)}] <= initial_states[i];
    end else begin
      for (int unsigned i = 0; i < BINS; i++) if (update[i]) states_q[update_ctx[i]] <= update_state[i];
    end
  end

  // ---- carries ---------------------------------------------------------------------------------------------------------
  logic [$clog2(ITEM_DEPTH+1)-1:0] waiting_items;
  item_t                           item_now;
  logic                            item_taken;
  fifo #(
      .DATA_W  (ITEM_W),
      .DEPTH   (ITEM_DEPTH),
      .PUSH_MAX(ITEMS),
      .POP_MAX (1)
  ) i_items (
      .clk         (clk),
      .rst_n       (rst_n),
      .push_i      (item_count),
      .push_ready_o(item_room),
      .push_data_i (items),
      .count_o     (waiting_items),
      .pop_i       (item_taken),
      .pop_data_o  (item_now)
  );

  logic        held_q;         // a byte is held back
  logic [7:0]  held_byte_q;
  logic [15:0] full_q;         // bytes of 255 behind it
  logic        spill_q;        // those are being put out, as 0 after a carry
  logic        spill_carry_q;
  logic        last_held_q;    // the byte held back is the slice's last
  logic        here, out_free;
  assign here     = waiting_items != 0;
  assign out_free = byte_ready_i;

  // Handing over the byte that is held back takes a cycle for it and one for each 255 behind it.
  logic release_held;
  always_comb begin
    item_taken   = 1'b0;
    byte_valid_o = 1'b0;
    byte_o       = held_byte_q + 8'(item_now.carry && here);
    byte_last_o  = 1'b0;
    release_held = 1'b0;
    if (spill_q) begin
      byte_valid_o = 1'b1;
      byte_o       = spill_carry_q ? 8'd0 : 8'd255;
      byte_last_o  = full_q == 16'd1 && !held_q && last_held_q;
    end else if (here) begin
      if (item_now.finish) begin
        byte_valid_o = held_q;
        byte_last_o  = item_now.last && full_q == 0;
        item_taken   = !held_q || out_free;
        release_held = held_q && out_free;
      end else if (held_q && item_now.data == 8'd255 && !item_now.carry) begin
        item_taken = 1'b1;
      end else begin
        byte_valid_o = held_q;
        item_taken   = !held_q || out_free;
        release_held = held_q && out_free;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      held_q        <= 1'b0;
      held_byte_q   <= '0;
      full_q        <= '0;
      spill_q       <= 1'b0;
      spill_carry_q <= 1'b0;
      last_held_q   <= 1'b0;
    end else if (spill_q) begin
      if (out_free) begin
        full_q <= full_q - 16'd1;
        if (full_q == 16'd1) spill_q <= 1'b0;
      end
    end else if (item_taken) begin
      if (item_now.finish) begin
        held_q      <= 1'b0;
        last_held_q <= item_now.last;
      end else if (held_q && item_now.data == 8'd255 && !item_now.carry) begin
        full_q <= full_q + 16'd1;
      end else begin
        held_q      <= 1'b1;
        held_byte_q <= item_now.data;
        last_held_q <= 1'b0;
      end
      if (release_held && full_q != 0) begin
        spill_q       <= 1'b1;
        spill_carry_q <= item_now.carry;
      end
    end
  end

  property p_byte_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) byte_valid_o && !byte_ready_i |=> byte_valid_o && $stable(byte_o);
  endproperty
  assert property (p_byte_stable) else $error("entropy_arithmetic: byte changed while it waited");
  property p_range;
    @(posedge clk) disable iff (!rst_n || $time == 0) range_q >= 9'd256 && range_q <= 9'd510;
  endproperty
  assert property (p_range) else $error("entropy_arithmetic: codIRange is %0d", range_q);
  property p_no_carry_lost;
    @(posedge clk) disable iff (!rst_n || $time == 0) here && item_now.carry && !spill_q |-> held_q && held_byte_q != 8'd255;
  endproperty
  assert property (p_no_carry_lost) else $error("entropy_arithmetic: a carry has no byte to go to");

endmodule

`default_nettype wire
