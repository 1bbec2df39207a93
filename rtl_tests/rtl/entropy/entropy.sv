// Entropy engine: macroblock syntax to the bytes of a NAL unit, CABAC or CAVLC (H.264 7.3.4, 9.1 to 9.3).
// Model twin: asic_model/engines/entropy/. Bench: rtl_tests/entropy/.
//
//   syntax -> binariser -> queue -> arithmetic coder -+
//        \-> codewords ------------------------------- + -> packer, emulation prevention -> bytes
//
// A slice starts with its parameters on the slice port; then come its header (from the byte of the NAL unit's type on)
// as codewords of up to 8 bits on the header port, the last one aligned with ones for CABAC by whoever sends it, and its
// macroblocks. Header and contexts' initialisation overlap. The engine takes the next slice while bytes of the one
// before are still leaving.

`default_nettype none

module entropy
  import entropy_pkg::*;
#(
    parameter int unsigned BINS         = 1,    // CABAC bins coded in a cycle, 1 to 4
    parameter int unsigned QUEUE        = 32,   // bins between binariser and coder
    parameter int unsigned MB_WIDTH_MAX = 256   // widest picture, macroblocks
) (
    input  wire logic              clk,
    input  wire logic              rst_n,

    input  wire logic              slice_valid_i,
    output      logic              slice_ready_o,
    input  wire slice_t            slice_i,

    input  wire logic              header_valid_i,
    output      logic              header_ready_o,
    input  wire logic [7:0]        header_bits_i,    // right-aligned
    input  wire logic [3:0]        header_length_i,  // 1 to 8
    input  wire logic              header_last_i,

    input  wire logic              mb_valid_i,
    output      logic              mb_ready_o,
    input  wire macroblock_t       mb_i,

    input  wire logic              block_valid_i,
    output      logic              block_ready_o,
    input  wire logic [15:0][15:0] block_i,

    output      logic              byte_valid_o,
    input  wire logic              byte_ready_i,
    output      logic [7:0]        byte_o,
    output      logic              byte_last_o,

    output      logic              mb_end_o,         // pulse: the last bin or codeword of a macroblock is coded
    output      logic              bin_o             // pulse: bins are coded in this cycle
);

  logic      element_valid, element_ready, code_valid, code_ready, code_mb_end, arithmetic_mb_end;
  element_t  element;
  codeword_t code;
  logic      header_q;      // the header is still coming
  logic      cabac_q;
  logic      slice_taken, slice_ready;

  // A slice begins when the one before has handed everything to the packer.
  logic      drained_q;
  assign slice_ready_o = slice_ready && drained_q;
  assign slice_taken   = slice_valid_i && slice_ready_o;

  entropy_syntax #(
      .MB_WIDTH_MAX(MB_WIDTH_MAX)
  ) i_syntax (
      .clk            (clk),
      .rst_n          (rst_n),
      .slice_valid_i  (slice_valid_i && drained_q),
      .slice_ready_o  (slice_ready),
      .slice_i        (slice_i),
      .mb_valid_i     (mb_valid_i),
      .mb_ready_o     (mb_ready_o),
      .mb_i           (mb_i),
      .block_valid_i  (block_valid_i),
      .block_ready_o  (block_ready_o),
      .block_i        (block_i),
      .element_valid_o(element_valid),
      .element_ready_i(element_ready),
      .element_o      (element),
      .code_valid_o   (code_valid),
      .code_ready_i   (code_ready),
      .code_o         (code),
      .code_mb_end_o  (code_mb_end)
  );

  logic [$clog2(QUEUE+1)-1:0]    symbol_count;
  logic [$clog2(BINS+1)-1:0]     symbol_pop;
  logic [BINS-1:0][SYMBOL_W-1:0] symbols;
  entropy_emitter #(
      .BINS (BINS),
      .DEPTH(QUEUE)
  ) i_emitter (
      .clk            (clk),
      .rst_n          (rst_n),
      .element_valid_i(element_valid),
      .element_ready_o(element_ready),
      .element_i      (element),
      .count_o        (symbol_count),
      .pop_i          (symbol_pop),
      .symbols_o      (symbols)
  );

  logic       arithmetic_valid, arithmetic_ready, arithmetic_last;
  logic [7:0] arithmetic_byte;
  entropy_arithmetic #(
      .BINS (BINS),
      .DEPTH(QUEUE)
  ) i_arithmetic (
      .clk         (clk),
      .rst_n       (rst_n),
      .start_i     (slice_taken && slice_i.cabac),
      .contexts_i  (slice_i.contexts),
      .qp_i        (slice_i.qp),
      .count_i     (symbol_count),
      .pop_o       (symbol_pop),
      .symbols_i   (symbols),
      .byte_valid_o(arithmetic_valid),
      .byte_ready_i(arithmetic_ready),
      .byte_o      (arithmetic_byte),
      .byte_last_o (arithmetic_last),
      .mb_end_o    (arithmetic_mb_end),
      .bin_o       (bin_o)
  );

  // One packer serves the header, then the coder of the slice.
  codeword_t packer_code;
  logic      packer_valid, packer_ready;
  always_comb begin
    if (header_q) begin
      packer_valid = header_valid_i;
      packer_code  = fixed_code(32'(header_bits_i), 6'(header_length_i));
    end else if (cabac_q) begin
      packer_valid     = arithmetic_valid;
      packer_code      = fixed_code(32'(arithmetic_byte), 6'd8);
      packer_code.last = arithmetic_last;
    end else begin
      packer_valid = code_valid;
      packer_code  = code;
    end
  end
  assign header_ready_o   = header_q && packer_ready;
  assign arithmetic_ready = !header_q && cabac_q && packer_ready;
  assign code_ready       = !header_q && !cabac_q && packer_ready;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      header_q  <= 1'b0;
      cabac_q   <= 1'b0;
      drained_q <= 1'b1;
    end else begin
      if (slice_taken) begin
        header_q  <= 1'b1;
        cabac_q   <= slice_i.cabac;
        drained_q <= 1'b0;
      end
      if (header_valid_i && header_ready_o && header_last_i) header_q <= 1'b0;
      if (packer_valid && packer_ready && packer_code.last && !header_q) drained_q <= 1'b1;
    end
  end

  entropy_packer i_packer (
      .clk         (clk),
      .rst_n       (rst_n),
      .code_valid_i(packer_valid),
      .code_ready_o(packer_ready),
      .code_i      (packer_code),
      .byte_valid_o(byte_valid_o),
      .byte_ready_i(byte_ready_i),
      .byte_o      (byte_o),
      .byte_last_o (byte_last_o)
  );

  assign mb_end_o = arithmetic_mb_end || code_mb_end;

  property p_header_length;
    @(posedge clk) disable iff (!rst_n || $time == 0) header_valid_i |-> header_length_i >= 4'd1 && header_length_i <= 4'd8;
  endproperty
  assert property (p_header_length) else $error("entropy: header codeword of %0d bits", header_length_i);
  handshake_check #(.PAYLOAD_W($bits(slice_i))) i_slice_check (
      .clk, .rst_n, .valid_i(slice_valid_i), .ready_i(slice_ready_o), .payload_i(slice_i)
  );
  handshake_check #(.PAYLOAD_W($bits({header_bits_i, header_length_i, header_last_i}))) i_header_check (
      .clk, .rst_n, .valid_i(header_valid_i), .ready_i(header_ready_o), .payload_i({header_bits_i, header_length_i, header_last_i})
  );
  handshake_check #(.PAYLOAD_W($bits(mb_i))) i_mb_check (
      .clk, .rst_n, .valid_i(mb_valid_i), .ready_i(mb_ready_o), .payload_i(mb_i)
  );
  handshake_check #(.PAYLOAD_W($bits(block_i))) i_block_check (
      .clk, .rst_n, .valid_i(block_valid_i), .ready_i(block_ready_o), .payload_i(block_i)
  );

endmodule

`default_nettype wire
