// The encode core as the control block sees it: a job is the address of a job block (asic_model/descriptors.py), its end a
// pulse with status, detail and bytes. The block is read over the core's own read port before anything else; what this core
// cannot do is refused by the number of the field.
//
// Addresses in a block are those of the function's window, which begins at `base_i`. Bench: rtl_tests/encode_core_device/.

`default_nettype none

module encode_core_device
  import encode_core_pkg::*;
  import encode_core_block_pkg::*;
#(
    parameter int unsigned MB_WIDTH_MAX = 64,  // widest picture, macroblocks
    parameter int unsigned BINS         = 1    // CABAC bins coded in a cycle
) (
    input  wire logic        clk,
    input  wire logic        rst_n,

    input  wire logic        start_valid_i,
    output      logic        start_ready_o,
    input  wire logic [63:0] job_i,           // address of the block in device memory, a multiple of 8
    input  wire logic [31:0] base_i,          // of the function's window; both stand until done
    output      logic        done_o,          // pulse, with the three behind it
    output      logic [7:0]  result_o,        // Status
    output      logic [31:0] detail_o,        // BAD_FIELD: number of the field
    output      logic [31:0] bytes_o,

    output      logic        read_valid_o,
    input  wire logic        read_ready_i,
    output      logic [31:0] read_address_o,
    input  wire logic        read_data_valid_i,
    input  wire logic [63:0] read_data_i,

    output      logic        write_valid_o,
    input  wire logic        write_ready_i,
    output      logic [31:0] write_address_o,
    output      logic [63:0] write_data_o,
    output      logic [7:0]  write_strobe_o
);

  localparam int unsigned WORDS = BLOCK_BYTES / 8;

  typedef enum logic [2:0] {D_IDLE, D_READ, D_CHECK, D_GIVE, D_RUN, D_DONE} state_e;
  state_e      state_q;
  logic [5:0]  asked_q, came_q;             // words of the block
  logic [WORDS-1:0][63:0] words_q;
  /* verilator lint_off UNUSEDSIGNAL */      // much of a block is about B pictures and rate control
  job_block_t  block;
  /* verilator lint_on UNUSEDSIGNAL */
  logic        refused, inter;
  logic [7:0]  number;
  logic [15:0] wanted_off;                   // decisions that must be left out
  assign block      = job_block_t'(words_q);
  assign inter      = block.slice_type == 8'(SLICE_P);
  assign wanted_off = inter ? 16'(SINGLE_PASS_P) : 16'(TRIALS);

  // ---- what this core cannot do, in the order of rtl_tests/encode_core/job.py; then what no core can -----------------------
  always_comb begin
    refused = 1'b1;
    number  = '0;
    if (block.mode != 8'(MODE_ENCODE)) number = 8'(FIELD_MODE);
    else if (!inter && block.slice_type != 8'(SLICE_I)) number = 8'(FIELD_SLICE_TYPE);
    else if (block.slices != 8'd1) number = 8'(FIELD_SLICES);
    else if ((block.tools_off & wanted_off) != wanted_off || (inter && (block.tools_off & 16'(COARSE_SEARCH)) != 0))
      number = 8'(FIELD_TOOLS_OFF);
    else if (block.transform_8x8 != 0) number = 8'(FIELD_TRANSFORM_8X8);
    else if (block.qp_map_address != 0) number = 8'(FIELD_QP_MAP_ADDRESS);
    else if (block.max_bits != 0) number = 8'(FIELD_MAX_BITS);
    else if (block.dead_zone_intra != 0) number = 8'(FIELD_DEAD_ZONE_INTRA);
    else if (block.src_surface_width != 0) number = 8'(FIELD_SRC_SURFACE_WIDTH);
    else if (block.unmark_count != 0) number = 8'(FIELD_UNMARK_COUNT);
    else if (block.deblock_disable > 8'd1) number = 8'(FIELD_DEBLOCK_DISABLE);
    else if (block.width < 16'd16 || 32'(block.width) > 16 * MB_WIDTH_MAX || block.width[0]) number = 8'(FIELD_WIDTH);
    else if (block.height < 16'd16 || block.height > 16'd2304 || block.height[0]) number = 8'(FIELD_HEIGHT);
    else if (block.qp > 8'd51) number = 8'(FIELD_QP);
    else if (block.chroma_qp_offset < -8'sd12 || block.chroma_qp_offset > 8'sd12) number = 8'(FIELD_CHROMA_QP_OFFSET);
    else if (block.entropy > 8'd1) number = 8'(FIELD_ENTROPY);
    else if (block.idr > 8'd1) number = 8'(FIELD_IDR);
    else if (block.nal_ref_idc > 8'd3) number = 8'(FIELD_NAL_REF_IDC);
    else if (block.log2_max_frame_num < 8'd4 || block.log2_max_frame_num > 8'd16) number = 8'(FIELD_LOG2_MAX_FRAME_NUM);
    else if (block.log2_max_poc_lsb != 0 && (block.log2_max_poc_lsb < 8'd4 || block.log2_max_poc_lsb > 8'd16))
      number = 8'(FIELD_LOG2_MAX_POC_LSB);
    else if (block.frame_num[31:16] != 0) number = 8'(FIELD_FRAME_NUM);
    else if (block.poc_lsb[31:16] != 0) number = 8'(FIELD_POC_LSB);
    else if (block.deblock_alpha < -8'sd6 || block.deblock_alpha > 8'sd6) number = 8'(FIELD_DEBLOCK_ALPHA);
    else if (block.deblock_beta < -8'sd6 || block.deblock_beta > 8'sd6) number = 8'(FIELD_DEBLOCK_BETA);
    else if (block.src_address[63:32] != 0 || block.src_address[5:0] != 0) number = 8'(FIELD_SRC_ADDRESS);
    else if (block.recon_address[63:32] != 0 || block.recon_address[5:0] != 0) number = 8'(FIELD_RECON_ADDRESS);
    else if (block.out_address[63:32] != 0 || block.out_address[2:0] != 0) number = 8'(FIELD_OUT_ADDRESS);
    else if (block.motion_out_address[63:32] != 0 || block.motion_out_address[2:0] != 0)
      number = 8'(FIELD_MOTION_OUT_ADDRESS);
    else if (inter && block.idr != 0) number = 8'(FIELD_IDR);
    else if (inter && block.ref_count != 8'd1) number = 8'(FIELD_REF_COUNT);
    else if (inter && (block.ref_address_0[63:32] != 0 || block.ref_address_0[5:0] != 0)) number = 8'(FIELD_REF_ADDRESS_0);
    else if (inter && (block.weighted & 8'(WEIGHTED_P)) != 0) number = 8'(FIELD_WEIGHTED);
    else if (inter && block.modify_lists[0]) number = 8'(FIELD_MODIFY_LISTS);
    else if (inter && block.dead_zone_inter != 0) number = 8'(FIELD_DEAD_ZONE_INTER);
    else if (inter && block.vectors_address != 0) number = 8'(FIELD_VECTORS_ADDRESS);
    else if (inter && (block.motion_in_address[63:32] != 0 || block.motion_in_address[2:0] != 0))
      number = 8'(FIELD_MOTION_IN_ADDRESS);
    else if (inter && block.cabac_init_idc > 8'd2) number = 8'(FIELD_CABAC_INIT_IDC);
    else refused = 1'b0;
  end

  job_t job;
  always_comb begin
    job.width              = block.width[12:0];
    job.height             = block.height[12:0];
    job.src_address        = block.src_address[31:0] + base_i;
    job.recon_address      = block.recon_address[31:0] + base_i;
    job.out_address        = block.out_address[31:0] + base_i;
    job.out_capacity       = block.out_capacity;
    job.qp                 = block.qp[5:0];
    job.chroma_qp_offset   = block.chroma_qp_offset[4:0];
    job.cabac              = block.entropy[0];
    job.deblock_disable    = block.deblock_disable[0];
    job.deblock_alpha      = block.deblock_alpha[3:0];
    job.deblock_beta       = block.deblock_beta[3:0];
    job.idr                = block.idr[0];
    job.nal_ref_idc        = block.nal_ref_idc[1:0];
    job.idr_pic_id         = block.idr_pic_id;
    job.frame_num          = block.frame_num[15:0];
    job.poc_lsb            = block.poc_lsb[15:0];
    job.log2_max_frame_num = block.log2_max_frame_num[4:0];
    job.log2_max_poc_lsb   = block.log2_max_poc_lsb[4:0];
    job.inter              = inter;
    job.ref_address        = block.ref_address_0[31:0] + base_i;
    job.ref_poc            = block.ref_poc_0[15:0];
    job.motion_in_address  = block.motion_in_address == 0 ? '0 : block.motion_in_address[31:0] + base_i;
    job.cabac_init_idc     = block.cabac_init_idc[1:0];
    job.intra_in_inter     = (block.tools_off & 16'(INTRA_IN_INTER)) == 0;
    job.motion_out_address = block.motion_out_address == 0 ? '0 : block.motion_out_address[31:0] + base_i;
  end

  // ---- the core --------------------------------------------------------------------------------------------------------------
  logic        job_ready, core_done, core_read_valid;
  logic [31:0] core_read_address, core_bytes;
  logic [1:0]  core_status;
  /* verilator lint_off PINCONNECTEMPTY */
  encode_core #(
      .MB_WIDTH_MAX(MB_WIDTH_MAX),
      .BINS        (BINS)
  ) i_core (
      .clk              (clk),
      .rst_n            (rst_n),
      .job_valid_i      (state_q == D_GIVE),
      .job_ready_o      (job_ready),
      .job_i            (job),
      .done_valid_o     (core_done),
      .done_ready_i     (1'b1),
      .done_status_o    (core_status),
      .done_bytes_o     (core_bytes),
      .done_cycles_o    (),
      .read_valid_o     (core_read_valid),
      .read_ready_i     (read_ready_i && state_q == D_RUN),
      .read_address_o   (core_read_address),
      .read_data_valid_i(read_data_valid_i && state_q == D_RUN),
      .read_data_i      (read_data_i),
      .write_valid_o    (write_valid_o),
      .write_ready_i    (write_ready_i),
      .write_address_o  (write_address_o),
      .write_data_o     (write_data_o),
      .write_strobe_o   (write_strobe_o),
      .decided_o        (),
      .coded_o          (),
      .filtered_o       ()
  );
  /* verilator lint_on PINCONNECTEMPTY */

  assign start_ready_o  = state_q == D_IDLE;
  assign done_o         = state_q == D_DONE;
  assign read_valid_o   = state_q == D_READ ? asked_q < 6'(WORDS) : core_read_valid && state_q == D_RUN;
  assign read_address_o = state_q == D_READ ? job_i[31:0] + 32'({asked_q, 3'd0}) : core_read_address;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q  <= D_IDLE;
      asked_q  <= '0;
      came_q   <= '0;
      result_o <= '0;
      detail_o <= '0;
      bytes_o  <= '0;
    end else begin
      unique case (state_q)
        D_IDLE: begin
          asked_q <= '0;
          came_q  <= '0;
          if (start_valid_i) state_q <= D_READ;
        end
        D_READ: begin
          if (read_valid_o && read_ready_i) asked_q <= asked_q + 6'd1;
          if (read_data_valid_i) came_q <= came_q + 6'd1;
          if (read_data_valid_i && came_q == 6'(WORDS - 1)) state_q <= D_CHECK;
        end
        D_CHECK: begin
          result_o <= refused ? 8'(STATUS_BAD_FIELD) : '0;
          detail_o <= refused ? 32'(number) : '0;
          bytes_o  <= '0;
          state_q  <= refused ? D_DONE : D_GIVE;
        end
        D_GIVE: if (job_ready) state_q <= D_RUN;
        D_RUN: begin
          if (core_done) begin
            result_o <= 8'(core_status);
            bytes_o  <= core_bytes;
            state_q  <= D_DONE;
          end
        end
        default: state_q <= D_IDLE;
      endcase
    end
  end
  always_ff @(posedge clk) if (read_data_valid_i && state_q == D_READ) words_q[came_q[4:0]] <= read_data_i;

  property p_job_stands;
    @(posedge clk) disable iff (!rst_n || $time == 0) state_q != D_IDLE |-> $stable(job_i) && $stable(base_i);
  endproperty
  assert property (p_job_stands) else $error("encode_core_device: the job changed under way");
  property p_read_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) read_valid_o && !read_ready_i |=> read_valid_o && $stable(read_address_o);
  endproperty
  assert property (p_read_stable) else $error("encode_core_device: read changed while it waited");
  property p_kind;
    @(posedge clk) disable iff (!rst_n || $time == 0) state_q == D_CHECK |-> block.kind == 8'(KIND_ENCODE);
  endproperty
  assert property (p_kind) else $error("encode_core_device: a block of kind %0d", block.kind);
  handshake_check #(.PAYLOAD_W($bits({job_i, base_i}))) i_start_check (
      .clk, .rst_n, .valid_i(start_valid_i), .ready_i(start_ready_o), .payload_i({job_i, base_i})
  );

endmodule

`default_nettype wire
