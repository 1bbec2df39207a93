// The control processor's register accesses, with the two that stall it: a read of `wait_pending` goes out when
// something is pending, a write of `mover_go` is answered when the move is done.

`default_nettype none

module processor_port
  import register_map_pkg::*;
(
    input  wire logic        clk,
    input  wire logic        rst_n,
    input  wire logic        valid_i,
    input  wire logic        write_i,
    input  wire logic [11:0] address_i,
    output      logic        ready_o,
    output      logic        request_o,  // to the register bus
    input  wire logic        answer_i,
    input  wire logic        pending_i,
    input  wire logic        moved_i     // a move ended
);

  logic waits, moves, answered_q, moved_q;
  logic issued_q;  // the request is out: a request is not withdrawn

  assign waits     = !write_i && address_i == WAIT_PENDING && !pending_i;
  assign moves     = write_i && address_i == MOVER_GO;
  assign request_o = valid_i && !answered_q && (!waits || issued_q);
  assign ready_o   = moves ? answered_q && moved_q : answer_i;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      answered_q <= 1'b0;
      moved_q    <= 1'b0;
      issued_q   <= 1'b0;
    end else begin
      issued_q   <= request_o && !answer_i;
      answered_q <= valid_i && moves && !ready_o && (answered_q || answer_i);
      moved_q    <= valid_i && moves && !ready_o && (moved_q || moved_i);
    end
  end

  handshake_check #(.PAYLOAD_W(13)) i_access (
      .clk, .rst_n, .valid_i, .ready_i(ready_o), .payload_i({write_i, address_i})
  );

endmodule

`default_nettype wire
