// Packs codewords of 0 to 34 bits into bytes, one byte a cycle, and inserts emulation prevention bytes (H.264 7.4.1).

`default_nettype none

module entropy_packer
  import entropy_pkg::*;
(
    input  wire logic       clk,
    input  wire logic       rst_n,
    input  wire logic       code_valid_i,
    output      logic       code_ready_o,
    input  wire codeword_t  code_i,
    output      logic       byte_valid_o,
    input  wire logic       byte_ready_i,
    output      logic [7:0] byte_o,
    output      logic       byte_last_o
);

  localparam int unsigned ACC_W = 64;

  logic [ACC_W-1:0] bits_q;   // in the low `count_q` bits
  logic [6:0]       count_q;
  logic             last_q;   // the slice's last codeword is in
  logic [1:0]       zeros_q;  // bytes of 0 in a row
  logic             take, give, insert, filled;
  logic [6:0]       length, count_mid;

  assign filled       = count_q >= 7'd8;
  assign byte_o       = insert ? 8'd3 : 8'(bits_q >> (count_q - 7'd8));
  assign insert       = zeros_q == 2'd2 && 8'(bits_q >> (count_q - 7'd8)) <= 8'd3;
  assign byte_valid_o = filled;
  assign byte_last_o  = last_q && count_q == 7'd8 && !insert;
  assign give         = byte_valid_o && byte_ready_i;
  assign code_ready_o = !last_q && count_q <= 7'd23;
  assign take         = code_valid_i && code_ready_o;
  assign count_mid    = count_q - (give && !insert ? 7'd8 : 7'd0);

  logic [2:0] fill;
  always_comb begin
    length = 7'(code_i.length);
    fill   = '0;
    if (code_i.align) fill = 3'(-(count_q + length));  // 8 bits given away leave it as it is
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      bits_q  <= '0;
      count_q <= '0;
      last_q  <= 1'b0;
      zeros_q <= '0;
    end else begin
      if (take) begin
        bits_q  <= ((bits_q << length) | ACC_W'(code_i.value)) << fill;
        count_q <= count_mid + length + 7'(fill);
        last_q  <= code_i.last;
      end else begin
        count_q <= count_mid;
        if (give && byte_last_o) last_q <= 1'b0;
      end
      if (give) begin
        if (insert) zeros_q <= '0;
        else if (byte_last_o || byte_o != 0) zeros_q <= '0;
        else zeros_q <= zeros_q + 2'd1;
      end
    end
  end

  property p_byte_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) byte_valid_o && !byte_ready_i |=> byte_valid_o && $stable(byte_o);
  endproperty
  assert property (p_byte_stable) else $error("entropy_packer: byte changed while it waited");
  property p_value_fits;
    @(posedge clk) disable iff (!rst_n || $time == 0) take && code_i.length < 6'd32 |-> code_i.value >> code_i.length == 0;
  endproperty
  assert property (p_value_fits) else $error("entropy_packer: codeword wider than its %0d bits", code_i.length);

endmodule

`default_nettype wire
