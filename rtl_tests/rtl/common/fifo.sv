// First-in first-out buffer that takes up to PUSH_MAX words and gives up to POP_MAX words in a cycle.
//
// A push of n words is taken when `push_ready_o`: there is room for PUSH_MAX words, whatever n is. The oldest words
// stand at pop_data_o[0], [1], ...; `count_o` says how many of all words are there.

`default_nettype none

module fifo #(
    parameter int unsigned DATA_W   = 8,   // bits of a word
    parameter int unsigned DEPTH    = 16,  // words, a power of two
    parameter int unsigned PUSH_MAX = 1,   // words taken in a cycle at most
    parameter int unsigned POP_MAX  = 1    // words given in a cycle at most
) (
    input  wire logic                              clk,
    input  wire logic                              rst_n,
    input  wire logic [$clog2(PUSH_MAX+1)-1:0]     push_i,        // words offered
    output      logic                              push_ready_o,
    input  wire logic [PUSH_MAX-1:0][DATA_W-1:0]   push_data_i,
    output      logic [$clog2(DEPTH+1)-1:0]        count_o,
    input  wire logic [$clog2(POP_MAX+1)-1:0]      pop_i,         // words taken away, at most count_o
    output      logic [POP_MAX-1:0][DATA_W-1:0]    pop_data_o
);

  localparam int unsigned ADDRESS_W = $clog2(DEPTH);
  localparam int unsigned COUNT_W   = $clog2(DEPTH + 1);

  if (DEPTH != 1 << ADDRESS_W || DEPTH < PUSH_MAX || DEPTH < POP_MAX || DEPTH < 2) begin : g_parameter_check
    $fatal(1, "fifo: DEPTH is %0d, a power of two that holds PUSH_MAX and POP_MAX words is needed", DEPTH);
  end

  logic [DATA_W-1:0]    words_q [DEPTH];
  logic [ADDRESS_W-1:0] head_q, tail_q;
  logic [COUNT_W-1:0]   count_q;
  logic                 push;

  assign push_ready_o = 32'(count_q) + PUSH_MAX <= DEPTH;
  assign push         = push_ready_o && push_i != 0;
  assign count_o      = count_q;

  always_comb begin
    for (int unsigned i = 0; i < POP_MAX; i++) pop_data_o[i] = words_q[head_q+ADDRESS_W'(i)];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      head_q  <= '0;
      tail_q  <= '0;
      count_q <= '0;
    end else begin
      head_q  <= head_q + ADDRESS_W'(pop_i);
      tail_q  <= tail_q + (push ? ADDRESS_W'(push_i) : '0);
      count_q <= count_q + (push ? COUNT_W'(push_i) : '0) - COUNT_W'(pop_i);
    end
  end

  always_ff @(posedge clk) begin
    if (push) begin
      for (int unsigned i = 0; i < PUSH_MAX; i++) begin
        if (i < 32'(push_i)) words_q[tail_q+ADDRESS_W'(i)] <= push_data_i[i];
      end
    end
  end

  property p_no_underflow;
    @(posedge clk) disable iff (!rst_n || $time == 0) COUNT_W'(pop_i) <= count_q;
  endproperty
  assert property (p_no_underflow) else $error("fifo: %0d words taken of %0d", pop_i, count_q);

endmodule

`default_nettype wire
