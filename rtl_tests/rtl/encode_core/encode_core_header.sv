// Slice header of the encode core (H.264 7.3.3): NAL unit header and slice header of an I or P slice that begins at macroblock
// 0, as codewords of up to eight bits. SPS and PPS are those that the driver writes: picture order count by
// log2_max_poc_lsb, initial QP 26, deblocking controlled by the slice.

`default_nettype none

module encode_core_header
  import encode_core_pkg::*;
(
    input  wire logic       clk,
    input  wire logic       rst_n,

    input  wire logic       start_i,   // pulse; the job stands until the header is out
    /* verilator lint_off UNUSEDSIGNAL */  // a header says little of a job
    input  wire job_t       job_i,
    /* verilator lint_on UNUSEDSIGNAL */

    output      logic       header_valid_o,
    input  wire logic       header_ready_i,
    output      logic [7:0] header_bits_o,    // right-aligned
    output      logic [3:0] header_length_o,
    output      logic       header_last_o
);

  typedef struct packed {
    logic [32:0] value;
    logic [5:0]  length;
  } code_t;

  function automatic code_t ue(input logic [16:0] number);
    code_t code;
    logic [4:0] size;
    code.value = 33'(number) + 33'd1;
    size       = '0;
    for (int unsigned i = 0; i < 17; i++) if (code.value[i]) size = 5'(i);
    code.length = {size, 1'b1};
    return code;
  endfunction
  function automatic code_t se(input logic signed [6:0] number);
    logic [6:0] magnitude;
    magnitude = number[6] ? -number : number;
    return ue(number > 0 ? 17'({magnitude, 1'b0}) - 17'd1 : 17'({magnitude, 1'b0}));
  endfunction

  typedef enum logic [3:0] {
    H_NAL, H_START, H_FRAME_NUM, H_IDR_PIC_ID, H_POC_LSB, H_LISTS, H_MARKING, H_CABAC_INIT, H_QP, H_DISABLE, H_ALPHA,
    H_BETA, H_ALIGN
  } element_e;
  element_e   element_q;
  logic       busy_q;
  logic [5:0] sent_q;       // bits of the element that are out
  logic [2:0] position_q;   // bits of the last byte
  code_t      code;
  always_comb begin
    unique case (element_q)
      H_NAL:        code = '{value: {26'd0, job_i.nal_ref_idc, job_i.idr ? 5'd5 : 5'd1}, length: 6'd8};
      // first_mb_in_slice 0, slice_type 0 or 2, PPS 0
      H_START:      code = job_i.inter ? '{value: 33'b1_1_1, length: 6'd3} : '{value: 33'b1_011_1, length: 6'd5};
      H_FRAME_NUM:  code = '{value: 33'(job_i.frame_num), length: 6'(job_i.log2_max_frame_num)};
      H_IDR_PIC_ID: code = ue(17'(job_i.idr_pic_id));
      H_POC_LSB:    code = '{value: 33'(job_i.poc_lsb), length: 6'(job_i.log2_max_poc_lsb)};
      H_LISTS:      code = '{value: '0, length: job_i.inter ? 6'd2 : 6'd0};  // as the PPS says, unmodified
      H_MARKING:    code = '{value: '0, length: job_i.idr ? 6'd2 : 6'd1};
      H_CABAC_INIT: code = ue(17'(job_i.cabac_init_idc));
      H_QP:         code = se(7'(job_i.qp) - 7'd26);
      H_DISABLE:    code = ue(17'(job_i.deblock_disable));
      H_ALPHA:      code = se(7'(job_i.deblock_alpha));
      H_BETA:       code = se(7'(job_i.deblock_beta));
      default:      code = '{value: 33'h7f, length: {3'd0, 3'(-position_q)}};  // cabac_alignment_one_bit
    endcase
    if (element_q == H_IDR_PIC_ID && !job_i.idr) code.length = '0;
    if (element_q == H_MARKING && job_i.nal_ref_idc == 0) code.length = '0;
    if (element_q == H_CABAC_INIT && !(job_i.inter && job_i.cabac)) code.length = '0;
    if ((element_q == H_ALPHA || element_q == H_BETA) && job_i.deblock_disable) code.length = '0;
    if (element_q == H_ALIGN && !job_i.cabac) code.length = '0;
  end

  logic [5:0] rest;
  logic [3:0] length;
  logic       last_element, step, give;
  assign rest   = code.length - sent_q;
  assign length = rest > 6'd8 ? 4'd8 : 4'(rest);
  assign give   = header_valid_o && header_ready_i;
  assign step   = rest <= 6'd8 && (give || rest == 0);
  // What ends the header: nothing but empty elements comes after it
  always_comb begin
    last_element = element_q == H_ALIGN;
    if (!job_i.cabac || 3'(position_q + 3'(length)) == 0) begin
      last_element = element_q == H_BETA || element_q == H_ALIGN || (element_q == H_DISABLE && job_i.deblock_disable);
    end
  end
  assign header_valid_o  = busy_q && rest != 0;
  assign header_length_o = length;
  assign header_bits_o   = 8'(code.value >> (rest - 6'(length))) & 8'((9'd1 << length) - 9'd1);
  assign header_last_o   = last_element && rest <= 6'd8;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      busy_q     <= 1'b0;
      element_q  <= H_NAL;
      sent_q     <= '0;
      position_q <= '0;
    end else if (start_i) begin
      busy_q     <= 1'b1;
      element_q  <= H_NAL;
      sent_q     <= '0;
      position_q <= '0;
    end else if (busy_q) begin
      if (give) position_q <= position_q + 3'(length);
      if (give && header_last_o) busy_q <= 1'b0;
      if (step) begin
        element_q <= element_q == H_ALIGN ? H_ALIGN : element_e'(element_q + 4'd1);
        sent_q    <= '0;
      end else if (give) begin
        sent_q <= sent_q + 6'(length);
      end
    end
  end

  property p_header_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) header_valid_o && !header_ready_i |=>
        header_valid_o && $stable(header_bits_o) && $stable(header_length_o) && $stable(header_last_o);
  endproperty
  assert property (p_header_stable) else $error("encode_core_header: bits changed while they waited");

endmodule

`default_nettype wire
