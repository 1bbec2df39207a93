// Records of the deblocking engine's interfaces.
package deblock_pkg;

  // What the filter must know of a macroblock.
  typedef struct packed {
    logic                       filter;        // 0: disable_deblocking_filter_idc 1
    logic                       left;          // the left edge is filtered
    logic                       top;           // the top edge is filtered
    logic                       field;         // field picture
    logic                       intra;
    logic                       transform_8x8;
    logic [5:0]                 qp;            // QPY, 0 for I_PCM
    logic signed [4:0]          alpha_offset;  // FilterOffsetA
    logic signed [4:0]          beta_offset;   // FilterOffsetB
    logic signed [4:0]          cb_offset;     // chroma_qp_index_offset
    logic signed [4:0]          cr_offset;
    logic [15:0]                coded;         // 4x4 blocks in raster order whose transform block has levels
    logic [1:0][3:0][6:0]       pictures;      // [list][quadrant]: number of the picture referred to, bit 6: none
  } macroblock_t;

  // [list][4x4 block in raster order][0 x, 1 y], quarter samples
  typedef logic [1:0][15:0][1:0][15:0] motion_t;

  // Four blocks at a border, kept for a neighbour.
  typedef struct packed {
    logic                       intra;
    logic [5:0]                 qp;
    logic [3:0]                 coded;
    logic [1:0][1:0][6:0]       pictures;
    logic [1:0][3:0][1:0][15:0] mv;
  } border_t;

  localparam logic [1:0] PLANE_Y  = 2'd0;
  localparam logic [1:0] PLANE_CB = 2'd1;
  localparam logic [1:0] PLANE_CR = 2'd2;

  typedef logic [15:0][7:0] block_t;  // 4x4 samples in raster order

endpackage
