// Modes of Intra16x16 and chroma: all allowed ones are compared by SATD, beside Intra4x4; later the best ones' predictions
// are made again for the transform.

`default_nettype none

module mode_decision_whole
  import encode_core_pkg::*;
#(
    parameter int unsigned COST_W = 20
) (
    input  wire logic              clk,
    input  wire logic              rst_n,

    input  wire logic              compare_i,       // pulse: a macroblock begins
    input  wire logic              code_luma_i,     // pulse: predict luma with its best mode
    input  wire logic              code_chroma_i,   // pulse: predict Cb and Cr with theirs
    input  wire logic [10:0]       lambda_i,        // SATD a bit, 1/16
    input  wire logic [4:0]        available_i,     // as intra_prediction takes it
    input  wire logic [31:0][7:0]  left_i,          // luma, Cb, Cr; stand until the macroblock's end
    input  wire logic [31:0][7:0]  top_i,
    input  wire logic [2:0][7:0]   corner_i,

    output      logic              source_read_o,
    output      logic [4:0]        source_block_o,
    input  wire block_t            source_i,        // a cycle later

    output      logic              pred_valid_o,    // a predicted block, beside its source
    output      logic [4:0]        pred_block_o,
    output      block_t            pred_o,

    output      logic [1:0]        best_16x16_o,
    output      logic [1:0]        best_chroma_o,
    output      logic [COST_W-1:0] least_16x16_o,
    output      logic              luma_known_o,
    output      logic              chroma_known_o
);

  localparam logic [1:0] KIND_16X16 = 2'd2, KIND_CHROMA = 2'd3;  // intra_prediction

  typedef logic [COST_W-1:0] cost_t;

  logic [1:0] ask_q;        // component that is asked for: 0 luma, 1 Cb, 2 Cr, 3 none
  logic [1:0] ask_end_q;    // first one that is not
  logic [1:0] answer_q;     // component that comes back
  logic       comparing_q;
  logic       in_ready, out_valid, out_last;
  /* verilator lint_off UNUSEDSIGNAL */  // four modes at most
  logic [3:0] out_mode;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [3:0] out_block;
  block_t     out_samples;
  logic [15:0][7:0] left, top;
  logic [8:0] modes;
  always_comb begin
    left = left_i[15:0];
    top  = top_i[15:0];
    if (ask_q != 0) begin
      left = 128'(ask_q[1] ? left_i[31:24] : left_i[23:16]);
      top  = 128'(ask_q[1] ? top_i[31:24] : top_i[23:16]);
    end
    modes = comparing_q ? 9'h00f : 9'd1 << (ask_q == 0 ? best_16x16_o : best_chroma_o);
  end
  intra_prediction i_prediction (
      .clk           (clk),
      .rst_n         (rst_n),
      .in_valid_i    (ask_q != ask_end_q),
      .in_ready_o    (in_ready),
      .in_kind_i     (ask_q == 0 ? KIND_16X16 : KIND_CHROMA),
      .in_modes_i    (modes),
      .in_available_i(available_i),
      .in_left_i     (left),
      .in_top_i      (top),
      .in_corner_i   (corner_i[ask_q]),
      .out_valid_o   (out_valid),
      .out_ready_i   (1'b1),
      .out_mode_o    (out_mode),
      .out_block_o   (out_block),
      .out_last_o    (out_last),
      .out_samples_o (out_samples)
  );
  assign source_read_o  = out_valid;
  assign source_block_o = answer_q == 0 ? 5'(out_block) : {2'b10, answer_q[1], out_block[1:0]};
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      ask_q       <= '0;
      ask_end_q   <= '0;
      answer_q    <= '0;
      comparing_q <= 1'b0;
    end else begin
      if (ask_q != ask_end_q && in_ready) ask_q <= ask_q + 2'd1;
      if (out_valid && out_last) answer_q <= answer_q + 2'd1;
      if (compare_i || code_luma_i || code_chroma_i) begin
        ask_q       <= code_chroma_i ? 2'd1 : 2'd0;
        ask_end_q   <= code_luma_i ? 2'd1 : 2'd3;
        answer_q    <= code_chroma_i ? 2'd1 : 2'd0;
        comparing_q <= compare_i;
      end
    end
  end

  // The block beside its source
  typedef struct packed {
    logic       last;       // of the component
    logic [1:0] component;
    logic [1:0] mode;
  } tag_t;
  tag_t tag_q;
  always_ff @(posedge clk) begin
    if (!rst_n) pred_valid_o <= 1'b0;
    else pred_valid_o <= out_valid;
  end
  always_ff @(posedge clk) begin
    tag_q        <= '{last: out_last, component: answer_q, mode: out_mode[1:0]};
    pred_block_o <= source_block_o;
    pred_o       <= out_samples;
  end

  logic        satd_valid;
  logic [12:0] satd;
  tag_t        tag;
  mode_decision_satd #(
      .TAG_W($bits(tag_t))
  ) i_satd (
      .clk        (clk),
      .rst_n      (rst_n),
      .in_valid_i (pred_valid_o && comparing_q),
      .in_source_i(source_i),
      .in_pred_i  (pred_o),
      .in_tag_i   (tag_q),
      .out_valid_o(satd_valid),
      .out_satd_o (satd),
      .out_tag_o  (tag)
  );

  cost_t [3:0] cost_16x16_q, cost_chroma_q;
  logic  [3:0] seen_16x16_q, seen_chroma_q;
  always_comb begin
    cost_t least_chroma;
    best_16x16_o  = '0;
    least_16x16_o = '1;
    best_chroma_o = '0;
    least_chroma  = '1;
    for (int unsigned m = 0; m < 4; m++) begin
      if (seen_16x16_q[m] && cost_16x16_q[m] < least_16x16_o) begin
        best_16x16_o  = 2'(m);
        least_16x16_o = cost_16x16_q[m];
      end
      if (seen_chroma_q[m] && cost_chroma_q[m] < least_chroma) begin
        best_chroma_o = 2'(m);
        least_chroma  = cost_chroma_q[m];
      end
    end
  end
  always_ff @(posedge clk) begin
    if (!rst_n || compare_i) begin
      luma_known_o   <= 1'b0;
      chroma_known_o <= 1'b0;
      seen_16x16_q   <= '0;
      seen_chroma_q  <= '0;
    end else if (satd_valid) begin
      if (tag.component == 0) seen_16x16_q[tag.mode] <= 1'b1;
      else seen_chroma_q[tag.mode] <= 1'b1;
      if (tag.last && tag.component == 0) luma_known_o <= 1'b1;
      if (tag.last && tag.component == 2'd2) chroma_known_o <= 1'b1;
    end
  end
  always_ff @(posedge clk) begin
    if (compare_i) begin
      cost_16x16_q <= '0;
      for (int unsigned m = 0; m < 4; m++) begin  // ue(v): 1, 3, 3, 5 bits
        cost_chroma_q[m] <= (COST_W'(lambda_i) * (m == 0 ? COST_W'(1) : m == 3 ? COST_W'(5) : COST_W'(3))) >> 4;
      end
    end else if (satd_valid) begin
      if (tag.component == 0) cost_16x16_q[tag.mode] <= cost_16x16_q[tag.mode] + COST_W'(satd);
      else cost_chroma_q[tag.mode] <= cost_chroma_q[tag.mode] + COST_W'(satd);
    end
  end

endmodule

`default_nettype wire
