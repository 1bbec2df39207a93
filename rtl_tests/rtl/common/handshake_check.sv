// Checks of one valid/ready channel: what was offered stays as it is until it is taken.

`default_nettype none

module handshake_check #(
    parameter int unsigned PAYLOAD_W = 1  // bits that must not change
) (
    input wire logic                 clk,
    input wire logic                 rst_n,
    input wire logic                 valid_i,
    input wire logic                 ready_i,
    input wire logic [PAYLOAD_W-1:0] payload_i
);

  property p_held;
    @(posedge clk) disable iff (!rst_n || $time == 0)
        valid_i && !ready_i |=> valid_i && $stable(payload_i);
  endproperty
  assert property (p_held) else $error("%m: an offer was withdrawn or changed before it was taken");

endmodule

`default_nettype wire
