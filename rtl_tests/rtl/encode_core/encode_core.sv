// Encode core: source samples of one I or P picture in memory to its slice and its deblocked reconstruction in memory.
// Model twin: asic_model/cores/encode/. Bench: rtl_tests/encode_core/. Ports: docs/rtl_encode_core.md.
//
//   memory -> fetch -> mode_decision -> buffer -> entropy --> write -> memory
//                (with the reconstruction loop) -> deblock --/
//   memory -> reference store --/
//
// Stages work on macroblocks of their own: while one is decided, the next one is fetched, the one before is coded and
// filtered.

`default_nettype none

module encode_core
  import encode_core_pkg::*;
#(
    parameter int unsigned MB_WIDTH_MAX = 64,  // widest picture, macroblocks
    parameter int unsigned BINS         = 1,   // CABAC bins coded in a cycle
    parameter int unsigned READS_MAX    = 16,  // reads of the source under way, a power of two; four times as many of the reference
    parameter int unsigned BANKS        = 8    // macroblocks from decision to the end of entropy, a power of two
) (
    input  wire logic        clk,
    input  wire logic        rst_n,

    input  wire logic        job_valid_i,
    output      logic        job_ready_o,
    input  wire job_t        job_i,

    output      logic        done_valid_o,
    input  wire logic        done_ready_i,
    output      logic [1:0]  done_status_o,
    output      logic [31:0] done_bytes_o,
    output      logic [31:0] done_cycles_o,

    output      logic        read_valid_o,
    input  wire logic        read_ready_i,
    output      logic [31:0] read_address_o,
    input  wire logic        read_data_valid_i,
    input  wire logic [63:0] read_data_i,

    output      logic        write_valid_o,
    input  wire logic        write_ready_i,
    output      logic [31:0] write_address_o,
    output      logic [63:0] write_data_o,
    output      logic [7:0]  write_strobe_o,

    output      logic        decided_o,  // pulse: a macroblock has been decided
    output      logic        coded_o,    // pulse: a macroblock's last bin or codeword has been coded
    output      logic        filtered_o  // pulse: a macroblock has been filtered
);

  if (MB_WIDTH_MAX < 2 || MB_WIDTH_MAX > 256) begin : g_parameter_check
    $fatal(1, "encode_core: MB_WIDTH_MAX is %0d, 2 to 256 are allowed", MB_WIDTH_MAX);
  end

  // ---- job ---------------------------------------------------------------------------------------------------------------
  typedef enum logic [1:0] {J_IDLE, J_START, J_RUN, J_DONE} state_e;
  state_e      state_q;
  job_t        job_q;
  logic        start;
  logic [8:0]  mb_width, mb_height;
  logic [5:0]  qp_chroma;
  surface_t    source_q, recon_q, reference_q;
  logic        write_idle, slice_ended, stream_full, all_filtered, finished;
  logic [31:0] cycles_q, bytes;
  assign job_ready_o = state_q == J_IDLE;
  assign start       = state_q == J_START;
  assign mb_width    = 9'((job_q.width + 13'd15) >> 4);
  assign mb_height   = 9'((job_q.height + 13'd15) >> 4);
  always_comb begin
    logic signed [7:0] index;
    index     = $signed({2'd0, job_q.qp}) + 8'(job_q.chroma_qp_offset);
    qp_chroma = deblock_tables_pkg::QP_CHROMA[index < 0 ? 6'd0 : index > 8'sd51 ? 6'd51 : 6'(index)];
  end
  assign finished      = slice_ended && all_filtered && write_idle;
  assign done_valid_o  = state_q == J_DONE;
  assign done_status_o = stream_full ? STATUS_OUTPUT_FULL : STATUS_OK;
  assign done_bytes_o  = stream_full ? '0 : bytes;
  assign done_cycles_o = cycles_q;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q  <= J_IDLE;
      cycles_q <= '0;
    end else begin
      unique case (state_q)
        J_IDLE: begin
          if (job_valid_i) state_q <= J_START;
          cycles_q <= 32'd1;
        end
        J_START: begin
          state_q  <= J_RUN;
          cycles_q <= cycles_q + 32'd1;
        end
        J_RUN: begin
          cycles_q <= cycles_q + 32'd1;
          if (finished) state_q <= J_DONE;
        end
        default: if (done_ready_i) state_q <= J_IDLE;
      endcase
    end
  end
  always_ff @(posedge clk) begin
    if (job_valid_i && job_ready_o) begin
      job_q    <= job_i;
      source_q    <= surface_of(job_i.src_address, job_i.width, job_i.height);
      recon_q     <= surface_of(job_i.recon_address, (job_i.width + 13'd15) & ~13'd15, (job_i.height + 13'd15) & ~13'd15);
      reference_q <= surface_of(job_i.ref_address, (job_i.width + 13'd15) & ~13'd15, (job_i.height + 13'd15) & ~13'd15);
    end
  end

  // ---- stages --------------------------------------------------------------------------------------------------------------
  logic [1:0]       ask_valid, ask_ready, answer_valid;   // [0] source, [1] reference
  logic [1:0][31:0] ask_address;
  encode_core_reads #(
      .READS_MAX(8 * READS_MAX)
  ) i_reads (
      .clk              (clk),
      .rst_n            (rst_n),
      .ask_valid_i      (ask_valid),
      .ask_ready_o      (ask_ready),
      .ask_address_i    (ask_address),
      .answer_valid_o   (answer_valid),
      .read_valid_o     (read_valid_o),
      .read_ready_i     (read_ready_i),
      .read_address_o   (read_address_o),
      .read_data_valid_i(read_data_valid_i)
  );

  logic   source_valid, source_ready;
  block_t source;
  encode_core_fetch #(
      .READS_MAX(READS_MAX)
  ) i_fetch (
      .clk              (clk),
      .rst_n            (rst_n),
      .start_i          (start),
      .surface_i        (source_q),
      .width_i          (job_q.width),
      .height_i         (job_q.height),
      .mb_width_i       (mb_width),
      .mb_height_i      (mb_height),
      .read_valid_o     (ask_valid[0]),
      .read_ready_i     (ask_ready[0]),
      .read_address_o   (ask_address[0]),
      .read_data_valid_i(answer_valid[0]),
      .read_data_i      (read_data_i),
      .block_valid_o    (source_valid),
      .block_ready_i    (source_ready),
      .block_o          (source)
  );

  store_ask_t  store_ask;
  store_read_t store_read;
  encode_core_reference #(
      .READS_MAX(4 * READS_MAX)
  ) i_reference (
      .clk              (clk),
      .rst_n            (rst_n),
      .start_i          (start && job_q.inter),
      .surface_i        (reference_q),
      .motion_address_i (job_q.motion_in_address),
      .mb_width_i       (mb_width),
      .mb_height_i      (mb_height),
      .read_valid_o     (ask_valid[1]),
      .read_ready_i     (ask_ready[1]),
      .read_address_o   (ask_address[1]),
      .read_data_valid_i(answer_valid[1]),
      .read_data_i      (read_data_i),
      .ask_i            (store_ask),
      .store_o          (store_read)
  );

  logic                     room, level_write, sample_write;
  logic [4:0]               level_row, sample_block;
  levels_t                  level;
  block_t                   sample;
  entropy_pkg::macroblock_t decided, decided_last;
  record_t                  decided_record;
  mode_decision #(
      .MB_WIDTH_MAX(MB_WIDTH_MAX)
  ) i_mode_decision (
      .clk           (clk),
      .rst_n         (rst_n),
      .start_i       (start),
      .inter_i       (job_q.inter),
      .intra_may_i   (job_q.intra_in_inter),
      .temporal_i    (job_q.motion_in_address != 0),
      .mb_width_i    (mb_width),
      .mb_height_i   (mb_height),
      .qp_i          (job_q.qp),
      .qp_chroma_i   (qp_chroma),
      .source_valid_i(source_valid),
      .source_ready_o(source_ready),
      .source_i      (source),
      .store_i       (store_read),
      .store_o       (store_ask),
      .room_i        (room),
      .level_write_o (level_write),
      .level_row_o   (level_row),
      .level_o       (level),
      .sample_write_o(sample_write),
      .sample_block_o(sample_block),
      .sample_o      (sample),
      .end_o         (decided_o),
      .end_syntax_o  (decided),
      .end_record_o  (decided_record)
  );
  always_comb begin
    decided_last      = decided;
    decided_last.last = decided_record.x + 9'd1 == mb_width && decided_record.y + 9'd1 == mb_height;
  end

  logic                     syntax_valid, syntax_ready, level_valid, level_ready;
  entropy_pkg::macroblock_t syntax;
  levels_t                  levels;
  logic                     sample_valid, sample_ready, record_valid, record_ready;
  block_t                   samples;
  record_t                  left_record;
  encode_core_buffer #(
      .BANKS(BANKS)
  ) i_buffer (
      .clk           (clk),
      .rst_n         (rst_n),
      .room_o        (room),
      .level_write_i (level_write),
      .level_row_i   (level_row),
      .level_i       (level),
      .sample_write_i(sample_write),
      .sample_block_i(sample_block),
      .sample_i      (sample),
      .end_i         (decided_o),
      .end_syntax_i  (decided_last),
      .end_record_i  (decided_record),
      .syntax_valid_o(syntax_valid),
      .syntax_ready_i(syntax_ready),
      .syntax_o      (syntax),
      .level_valid_o (level_valid),
      .level_ready_i (level_ready),
      .level_o       (levels),
      .sample_valid_o(sample_valid),
      .sample_ready_i(sample_ready),
      .sample_o      (samples),
      .record_valid_o(record_valid),
      .record_ready_i(record_ready),
      .record_o      (left_record)
  );

  logic       header_valid, header_ready, header_last;
  logic [7:0] header_bits;
  logic [3:0] header_length;
  encode_core_header i_header (
      .clk            (clk),
      .rst_n          (rst_n),
      .start_i        (start),
      .job_i          (job_q),
      .header_valid_o (header_valid),
      .header_ready_i (header_ready),
      .header_bits_o  (header_bits),
      .header_length_o(header_length),
      .header_last_o  (header_last)
  );

  entropy_pkg::slice_t slice;
  logic                slice_valid_q, slice_ready;
  logic                byte_valid, byte_ready, byte_last;
  logic [7:0]          stream_byte;
  always_comb begin
    slice                      = '0;
    slice.cabac                = job_q.cabac;
    slice.slice_type           = job_q.inter ? entropy_pkg::SLICE_P : entropy_pkg::SLICE_I;
    slice.contexts             = job_q.inter ? job_q.cabac_init_idc + 2'd1 : 2'd0;
    slice.qp                   = job_q.qp;
    slice.mb_width             = mb_width;
    slice.direct_8x8_inference = 1'b1;
    slice.refs_l0              = 6'd1;
    slice.refs_l1              = 6'd1;
  end
  always_ff @(posedge clk) begin
    if (!rst_n) slice_valid_q <= 1'b0;
    else if (start) slice_valid_q <= 1'b1;
    else if (slice_ready) slice_valid_q <= 1'b0;
  end
  /* verilator lint_off PINCONNECTEMPTY */
  entropy #(
      .BINS        (BINS),
      .MB_WIDTH_MAX(MB_WIDTH_MAX)
  ) i_entropy (
      .clk            (clk),
      .rst_n          (rst_n),
      .slice_valid_i  (slice_valid_q),
      .slice_ready_o  (slice_ready),
      .slice_i        (slice),
      .header_valid_i (header_valid),
      .header_ready_o (header_ready),
      .header_bits_i  (header_bits),
      .header_length_i(header_length),
      .header_last_i  (header_last),
      .mb_valid_i     (syntax_valid),
      .mb_ready_o     (syntax_ready),
      .mb_i           (syntax),
      .block_valid_i  (level_valid),
      .block_ready_o  (level_ready),
      .block_i        (levels),
      .byte_valid_o   (byte_valid),
      .byte_ready_i   (byte_ready),
      .byte_o         (stream_byte),
      .byte_last_o    (byte_last),
      .mb_end_o       (coded_o),
      .bin_o          ()
  );
  /* verilator lint_on PINCONNECTEMPTY */

  deblock_pkg::macroblock_t record;
  deblock_pkg::motion_t     motion;
  logic                     block_valid, block_ready;
  logic [1:0]               block_plane;
  logic [10:0]              block_x, block_y;
  block_t                   block;
  always_comb begin
    record              = '0;
    record.filter       = !job_q.deblock_disable;
    record.left         = left_record.x != 0;
    record.top          = left_record.y != 0;
    record.intra        = !left_record.inter;
    record.coded        = left_record.coded;
    record.qp           = job_q.qp;
    record.alpha_offset = 5'(job_q.deblock_alpha) <<< 1;
    record.beta_offset  = 5'(job_q.deblock_beta) <<< 1;
    record.cb_offset    = job_q.chroma_qp_offset;
    record.cr_offset    = job_q.chroma_qp_offset;
    record.pictures     = '1;
    if (left_record.inter) record.pictures[0] = '0;
    motion    = '0;
    motion[0] = {16{16'($signed(left_record.vector[1])), 16'($signed(left_record.vector[0]))}};
  end
  // A record goes to deblocking and to the motion writer in the same cycle.
  logic deblock_ready, motion_ready;
  assign record_ready = deblock_ready && motion_ready;
  deblock #(
      .MB_WIDTH_MAX(MB_WIDTH_MAX)
  ) i_deblock (
      .clk          (clk),
      .rst_n        (rst_n),
      .mb_valid_i   (record_valid && motion_ready),
      .mb_ready_o   (deblock_ready),
      .mb_i         (record),
      .mb_motion_i  (motion),
      .mb_x_i       (left_record.x),
      .mb_y_i       (left_record.y),
      .mb_width_i   (mb_width),
      .mb_height_i  (mb_height),
      .block_valid_i(sample_valid),
      .block_ready_o(sample_ready),
      .block_i      (samples),
      .out_valid_o  (block_valid),
      .out_ready_i  (block_ready),
      .out_plane_o  (block_plane),
      .out_x_o      (block_x),
      .out_y_o      (block_y),
      .out_samples_o(block),
      .mb_end_o     (filtered_o)
  );

  // The picture is whole when every one of its blocks has gone to the writer.
  logic [22:0] blocks_left_q;
  assign all_filtered = blocks_left_q == 0;
  always_ff @(posedge clk) begin
    if (!rst_n) blocks_left_q <= '0;
    else if (start) blocks_left_q <= 23'(mb_width) * 23'(mb_height) * 23'(BLOCKS);
    else if (block_valid && block_ready) blocks_left_q <= blocks_left_q - 23'd1;
  end

  encode_core_write i_write (
      .clk            (clk),
      .rst_n          (rst_n),
      .start_i        (start),
      .surface_i      (recon_q),
      .out_address_i  (job_q.out_address),
      .out_capacity_i (job_q.out_capacity),
      .motion_address_i(job_q.motion_out_address),
      .ref_poc_i      (job_q.ref_poc),
      .record_valid_i (record_valid && record_ready),
      .record_ready_o (motion_ready),
      .record_i       (left_record),
      .block_valid_i  (block_valid),
      .block_ready_o  (block_ready),
      .block_plane_i  (block_plane),
      .block_x_i      (block_x),
      .block_y_i      (block_y),
      .block_i        (block),
      .byte_valid_i   (byte_valid),
      .byte_ready_o   (byte_ready),
      .byte_i         (stream_byte),
      .byte_last_i    (byte_last),
      .write_valid_o  (write_valid_o),
      .write_ready_i  (write_ready_i),
      .write_address_o(write_address_o),
      .write_data_o   (write_data_o),
      .write_strobe_o (write_strobe_o),
      .idle_o         (write_idle),
      .ended_o        (slice_ended),
      .full_o         (stream_full),
      .bytes_o        (bytes)
  );

  // ---- handshakes ------------------------------------------------------------------------------------------------------------
  property p_job_fits;
    @(posedge clk) disable iff (!rst_n || $time == 0) job_valid_i |-> job_i.width >= 13'd16 && job_i.height >= 13'd16 &&
        32'(job_i.width) <= 16 * MB_WIDTH_MAX && !job_i.width[0] && !job_i.height[0] && job_i.qp <= 6'd51;
  endproperty
  assert property (p_job_fits) else $error("encode_core: a picture of %0dx%0d at QP %0d", job_i.width, job_i.height, job_i.qp);
  property p_done_stable;
    @(posedge clk) disable iff (!rst_n || $time == 0) done_valid_o && !done_ready_i |=>
        done_valid_o && $stable(done_bytes_o) && $stable(done_status_o) && $stable(done_cycles_o);
  endproperty
  assert property (p_done_stable) else $error("encode_core: done changed while it waited");
  handshake_check #(.PAYLOAD_W($bits(job_i))) i_job_check (
      .clk, .rst_n, .valid_i(job_valid_i), .ready_i(job_ready_o), .payload_i(job_i)
  );

endmodule

`default_nettype wire
