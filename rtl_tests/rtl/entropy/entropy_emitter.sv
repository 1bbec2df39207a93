// Binariser: turns syntax elements into bins, up to four a cycle, and queues them for the arithmetic coder (H.264 9.3.2).

`default_nettype none

module entropy_emitter
  import entropy_pkg::*;
#(
    parameter int unsigned BINS  = 1,  // bins that the coder takes in a cycle
    parameter int unsigned DEPTH = 32  // symbols of the queue
) (
    input  wire logic                          clk,
    input  wire logic                          rst_n,
    input  wire logic                          element_valid_i,
    output      logic                          element_ready_o,
    input  wire element_t                      element_i,
    output      logic [$clog2(DEPTH+1)-1:0]    count_o,
    input  wire logic [$clog2(BINS+1)-1:0]     pop_i,
    output      logic [BINS-1:0][SYMBOL_W-1:0] symbols_o
);

  localparam int unsigned WIDE = 4;  // symbols put out in a cycle

  element_t   element_q;
  logic       valid_q;
  logic [6:0] at_q;     // symbols of the element already put out
  logic [6:0] length;
  logic [2:0] count;
  logic       room, finishing;

  assign length    = element_q.is_string ? 7'(element_q.symbols[STRING_W-1-:4])
                                         : element_q.ones + 7'(element_q.zero) + 7'(element_q.tail_bits);
  assign count     = !valid_q ? 3'd0 : length - at_q > 7'd4 ? 3'd4 : 3'(length - at_q);
  assign finishing = length - at_q <= 7'd4 && room;
  assign element_ready_o = !valid_q || finishing;

  logic [WIDE-1:0][SYMBOL_W-1:0] symbols;
  always_comb begin
    for (int unsigned i = 0; i < WIDE; i++) begin
      logic [6:0]  place;
      logic [4:0]  from_end;
      logic [10:0] ctx;
      place    = at_q + 7'(i);
      from_end = 5'(length - 7'd1 - place);
      ctx      = element_q.first;
      if (place != 0) begin
        ctx = element_q.base + (7'(element_q.low) + place - 7'd1 < 7'(element_q.high)
                                    ? 11'(element_q.low) + 11'(place) - 11'd1 : 11'(element_q.high));
      end
      if (element_q.is_string) symbols[i] = element_q.symbols[SYMBOL_W*32'(place[2:0])+:SYMBOL_W];
      else if (place < element_q.ones) symbols[i] = {ctx, 1'b1};
      else if (place == element_q.ones && element_q.zero) symbols[i] = {ctx, 1'b0};
      else symbols[i] = {11'd1024, element_q.tail[from_end]};
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid_q <= 1'b0;
      at_q    <= '0;
    end else begin
      if (valid_q && room) at_q <= at_q + 7'd4;
      if (element_ready_o) begin
        valid_q <= element_valid_i;
        at_q    <= '0;
      end
    end
  end
  always_ff @(posedge clk) if (element_ready_o && element_valid_i) element_q <= element_i;

  fifo #(
      .DATA_W  (SYMBOL_W),
      .DEPTH   (DEPTH),
      .PUSH_MAX(WIDE),
      .POP_MAX (BINS)
  ) i_queue (
      .clk         (clk),
      .rst_n       (rst_n),
      .push_i      (count),
      .push_ready_o(room),
      .push_data_i (symbols),
      .count_o     (count_o),
      .pop_i       (pop_i),
      .pop_data_o  (symbols_o)
  );

  property p_not_empty;
    @(posedge clk) disable iff (!rst_n || $time == 0) valid_q |-> length != 0;
  endproperty
  assert property (p_not_empty) else $error("entropy_emitter: element without bins");

endmodule

`default_nettype wire
